"""The layer of mount points: it lies below what a container changes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.images.snapshots import mount_points
from moby_tui.engine.resources.images.store.form import OPAQUE
from moby_tui.engine.store.paths import Paths
from moby_tui.schema.container import ContainerCreate, HostConfig


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "d", tmp_path / "r")
    made.make()
    return made


def layer(folder: Path, *names: str) -> Path:
    """A layer: what ends with a slash is a folder, the rest files."""
    folder.mkdir()
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
    return folder


def made(paths: Paths, *layers: Path) -> set[str]:
    below = mount_points.below(paths, [*layers])
    assert below[-len(layers) :] == [*layers]
    return {str(path.relative_to(below[0])) for path in below[0].rglob("*")} if len(below) > len(layers) else set()


ALL = {"proc", "sys", "dev", "etc", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab", ".dockerenv"}


def test_an_empty_image_gets_all(paths: Paths, tmp_path: Path) -> None:
    assert made(paths, layer(tmp_path / "a", "bin/")) == ALL


def test_what_an_image_has_is_not_made(paths: Paths, tmp_path: Path) -> None:
    top, bottom = layer(tmp_path / "a", "etc/hosts", "proc/"), layer(tmp_path / "b", "sys/", "dev/", "etc/mtab", "etc/hostname")
    assert made(paths, top, bottom) == {".dockerenv", "etc", "etc/resolv.conf"}
    folders = ("proc", "sys", "dev", "etc")
    assert made(paths, layer(tmp_path / "c", *(f"{name}/" if name in folders else name for name in sorted(ALL)))) == set()


@pytest.mark.parametrize("target", ["../run/systemd/resolve/stub-resolv.conf", "/absent", "resolv.conf", "passwd"])
def test_a_link_gives_way_to_a_plain_file(paths: Paths, tmp_path: Path, target: str) -> None:
    image = layer(tmp_path / "a", "proc/", "sys/", "dev/", ".dockerenv", "etc/mtab", "etc/hosts", "etc/passwd", "etc/hostname")
    (image / "etc/resolv.conf").symlink_to(target)
    assert made(paths, image) == {"etc", "etc/resolv.conf"}
    point = mount_points.below(paths, [image])[0] / "etc/resolv.conf"
    assert point.is_file() and not point.is_symlink()


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
@pytest.mark.parametrize("target", ["bin", "absent", "/proc"])
def test_a_link_gives_way_to_a_folder(paths: Paths, tmp_path: Path, name: str, target: str) -> None:
    image = layer(tmp_path / "a", "bin/", *(f"{other}/" for other in ("proc", "sys", "dev") if other != name))
    (image / name).symlink_to(target)
    found = mount_points.below(paths, [image])[0] / name
    assert found.is_dir() and not found.is_symlink()


def test_what_is_hidden_by_an_upper_layer_counts_as_absent(paths: Paths, tmp_path: Path) -> None:
    top, bottom = layer(tmp_path / "a", "etc/hosts"), layer(tmp_path / "b", "etc/mtab", "etc/hostname", "proc/", "sys/")
    os.mknod(top / "proc", 0o20000, os.makedev(0, 0))
    assert "proc" in made(paths, top, bottom)
    os.setxattr(top / "etc", OPAQUE, b"y")
    other = layer(tmp_path / "c")
    assert {"etc/mtab", "etc/hostname"} <= made(paths, other, top, bottom)


def test_an_etc_that_leads_elsewhere_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    image = layer(tmp_path / "a")
    (image / "etc").symlink_to("usr/etc")
    assert made(paths, image) == {"proc", "sys", "dev", ".dockerenv"}


def test_etc_looks_as_in_the_image(paths: Paths, tmp_path: Path) -> None:
    image = layer(tmp_path / "a", "etc/passwd")
    os.chown(image / "etc", 7, 8)
    (image / "etc").chmod(0o2750)
    os.utime(image / "etc", ns=(0, 123_456_789))
    status = (mount_points.below(paths, [image])[0] / "etc").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_mtime_ns) == (7, 8, 0o2750, 123_456_789)


def test_images_that_lack_the_same_share_one(paths: Paths, tmp_path: Path) -> None:
    first, second = layer(tmp_path / "a", "bin/"), layer(tmp_path / "b", "lib/")
    assert mount_points.below(paths, [first])[0] == mount_points.below(paths, [second])[0]
    assert len([*paths.mount_points.iterdir()]) == 1
    assert not [*paths.staging.iterdir()]


async def test_mount_points_are_no_changes_of_the_container(engine: Engine, busybox: str) -> None:
    config = ContainerCreate(image=busybox, cmd=["sh", "-c", "echo x >/mine"], host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(config)).id
    wait = await engine.containers.wait(ident, condition="next-exit")
    await engine.containers.start(ident)
    await wait.result()
    assert [change.path for change in await engine.containers.changes(ident)] == ["/mine"]


async def test_a_container_finds_it(engine: Engine, busybox: str) -> None:
    config = ContainerCreate(
        image=busybox, cmd=["sh", "-c", "ls -a / && cat /etc/mtab"], host_config=HostConfig(network_mode="none")
    )
    output = await asyncio.wait_for(engine.containers.run(config, remove=True), 60)
    assert b".dockerenv" in output
    assert b" / overlay " in output
