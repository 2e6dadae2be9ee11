"""What a container changed: held against dockerd 28.5's ``docker diff`` of the same scripts on the same image."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import images_data
from moby_tui.engine.containers.views.changes import changes
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import trees
from moby_tui.schema.container import ContainerCreate, HostConfig

#: Scripts and what dockerd told of them: Changed, Added, Deleted.
SCRIPTS: list[tuple[str, list[str]]] = [
    ("rm -rf /d; mkdir /d", ["C /d", "D /d/a", "D /d/sub", "D /d/up"]),
    ("rm -rf /d; mkdir /d; echo n > /d/a", ["C /d", "C /d/a", "D /d/sub", "D /d/up"]),
    ("rm -rf /d", ["D /d"]),
    ("rm -rf /d; echo f > /d", ["C /d"]),
    ("rm /d/a; mkdir /d/a", ["C /d", "C /d/a"]),
    ("rm /d/a; mkdir /d/a; echo x > /d/a/x", ["C /d", "C /d/a", "A /d/a/x"]),
    (": >> /d/a", []),
    ("echo -n '' >> /e/big", []),
    ("touch /d/a", ["C /d", "C /d/a"]),
    ("touch /d", []),
    ("touch /d/sub", []),
    ("ln /e/e /e/new", ["C /e", "A /e/new"]),
    ("ln /d/a /e/other", ["C /e", "A /e/other"]),
    ("chmod 600 /d/a; chmod 640 /d/a", []),
    ("chmod 600 /d/a", ["C /d", "C /d/a"]),
    ("chown 5:6 /d/a", ["C /d", "C /d/a"]),
    ("chown 5:6 /d/a; chown 0:0 /d/a", []),
    ("chmod 700 /d/sub", ["C /d", "C /d/sub"]),
    ("chmod 700 /d/sub; chmod 755 /d/sub", []),
    ("mv /d /dd", ["D /d", "A /dd", "A /dd/a", "A /dd/sub", "A /dd/sub/b", "A /dd/sub/deep", "A /dd/up"]),
    ("mv /d/sub /e/sub", ["C /d", "D /d/sub", "C /e", "A /e/sub", "A /e/sub/b", "A /e/sub/deep"]),
    ("mv /d/a /d/z", ["C /d", "D /d/a", "A /d/z"]),
    ("mv /d/sub /d/x; mv /d/x /d/sub", []),
    ("mv /d/a /d/z; mv /d/z /d/a", []),
    ("mkdir /n; echo x > /n/x; rm -rf /n", []),
    ("mkdir /n; echo x > /n/x; mkdir /n/m", ["A /n", "A /n/m", "A /n/x"]),
    ("echo x > /d/sub/deep/new", ["C /d", "C /d/sub", "C /d/sub/deep", "A /d/sub/deep/new"]),
    ("rm /d/sub/b; echo b > /d/sub/b", ["C /d", "C /d/sub", "C /d/sub/b"]),
    ("rm /e/l; ln -s e /e/l", ["C /e", "C /e/l"]),
    ("rm /e/l; ln -s f /e/l", ["C /e", "C /e/l"]),
    ("rm /e/e; mkfifo /e/e", ["C /e", "C /e/e"]),
    ("mkfifo /e/p; mknod /e/null c 1 3", ["C /e", "A /e/null", "A /e/p"]),
    ("rm /d/up", ["C /d", "D /d/up"]),
    ("rm -rf /d/sub; mkdir -p /d/sub/deep", ["C /d", "C /d/sub", "D /d/sub/b"]),
    ("cat /d/a; ls /d", []),
    ("echo x > /tmp/y", ["C /tmp", "A /tmp/y"]),
    ("mkdir -p /d/sub/deep", []),
    ("rm -rf /e/*;", ["C /e", "D /e/big", "D /e/e", "D /e/hard", "D /e/l", "D /e/second"]),
    ("touch /d/new; rm /d/new", []),
    ("rm -rf /d; mkdir -p /d/sub; echo b > /d/sub/b", ["C /d", "D /d/a", "C /d/sub", "C /d/sub/b", "D /d/sub/deep", "D /d/up"]),
    ("rm /e/hard", ["C /e", "D /e/hard"]),
    ("echo more >> /e/hard", ["C /e", "C /e/hard"]),
    ("mkdir /.wh.x; echo > /.wh.y", ["A /.wh.x", "A /.wh.y"]),
    ("ln -s /etc /d/link", ["C /d", "A /d/link"]),
]


def image() -> bytes:
    tree = images_data.Tar()
    for folder in ("d", "d/sub", "d/sub/deep", "e"):
        tree.directory(folder)
    tree.add("d/a", data=b"a\n", mode=0o640).add("d/sub/b", data=b"b\n").add("d/sub/deep/c", data=b"c\n")
    tree.add("e/e", data=b"e\n").symlink("e/l", "e").add("e/big", data=bytes(100_000)).link("e/hard", "e/e")
    second = images_data.Tar().directory("d").add("d/up", data=b"up\n").add("d/sub/deep/.wh.c").add("e/second", data=b"2\n")
    layers = [images_data.busybox_rootfs(), tree.bytes(), second.bytes()]
    return images_data.docker_archive((images_data.ImageData(layers), ["two:1"]))


@pytest.fixture
async def two(engine: Engine) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield image()

    async for _ in engine.images.load(content()):
        pass
    return "two:1"


async def test_as_dockerd(engine: Engine, two: str) -> None:
    wrong = {}
    for script, expected in SCRIPTS:
        asked = ContainerCreate(image=two, cmd=["sh", "-c", script], host_config=HostConfig(network_mode="none"))
        ident = (await engine.containers.create(asked)).id
        wait = await engine.containers.wait(ident, condition="next-exit")
        await engine.containers.start(ident)
        await wait.result()
        found = [f"{'CAD'[change.kind]} {change.path}" for change in await engine.containers.changes(ident)]
        if found != expected:
            wrong[script] = (found, expected)
        await engine.containers.remove(ident)
    assert wrong == {}


CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")


def folders(tmp_path: Path) -> tuple[Path, Path]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    return upper, lower


def told(upper: Path, *layers: Path) -> list[str]:
    return [f"{'CAD'[change.kind]} {change.path}" for change in changes(upper, [*layers])]


def test_attributes_that_count_and_those_that_do_not(tmp_path: Path) -> None:
    upper, lower = folders(tmp_path)
    for name in ("same", "capable", "noted", "later", "second"):
        for folder in (upper, lower):
            (folder / name).write_text("x")
            os.utime(folder / name, ns=(10**18, 10**18 + 5))
    os.setxattr(upper / "capable", "security.capability", CAPABILITY)
    os.setxattr(upper / "noted", "user.note", b"x")
    os.utime(upper / "later", ns=(10**18, 10**18 + 6))
    os.utime(lower / "second", ns=(10**18, 10**18))
    assert told(upper, lower) == ["C /capable", "C /later"]


def test_a_whiteout_of_nothing_and_one_in_an_opaque_folder(tmp_path: Path) -> None:
    upper, lower = folders(tmp_path)
    (lower / "d").mkdir()
    (lower / "d/a").touch()
    (upper / "d").mkdir()
    os.setxattr(upper / "d", "trusted.overlay.opaque", b"y")
    os.mknod(upper / "d/a", 0o020000, 0)
    os.mknod(upper / "nothing", 0o020000, 0)
    assert told(upper, lower) == ["C /d", "D /d/a"]


def test_names_of_any_bytes_and_without_layers(tmp_path: Path) -> None:
    upper, _ = folders(tmp_path)
    (upper / "d\udcff").mkdir()
    (upper / "d\udcff/\n").touch()
    assert told(upper) == ["A /d\udcff", "A /d\udcff/\n"]


def test_a_tree_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    upper, lower = folders(tmp_path)
    fd = os.open(upper, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=fd)
        below = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    try:
        assert told(upper, lower)[0] == "A /deep"
    finally:
        trees.remove(upper)


def test_what_is_hidden_stays_hidden_below(tmp_path: Path) -> None:
    """A folder in an opaque one is new, whatever lower layers have there."""
    upper, lower = folders(tmp_path)
    (lower / "d/sub/deep").mkdir(parents=True)
    (lower / "d/sub/file").touch()
    (upper / "d/sub").mkdir(parents=True)
    os.setxattr(upper / "d", "trusted.overlay.opaque", b"y")
    assert told(upper, lower) == ["C /d", "C /d/sub", "D /d/sub/deep", "D /d/sub/file"]
