"""Mounts, devices and working directories where the image has links that lead nowhere: what they name is made, inside the root.

The right values are those of dockerd 28.5, runc 1.3 and crun 1.28 with the same images.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.kernel import path as paths

Cli = Callable[..., subprocess.CompletedProcess[str]]

LINKS = {
    "etc/localtime": "/usr/share/zoneinfo/UTC",
    "data": "/mnt/data",
    "twice": "second",
    "second": "mnt2/deeper/x",
    "loop": "loop",
    "ring": "other-ring",
    "other-ring": "ring",
    "up": "../../../../above/x",
    "plain-link": "/plain",
    "below-plain": "/plain/x",
}


def image(cli: Cli, folder: Path, links: dict[str, str]) -> str:
    """An image of busybox with these links and a file ``plain``; a link takes the place of what is there."""
    root = folder / "context/root"
    root.mkdir(parents=True)
    (root / "plain").write_text("plain")
    for name, target in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    (root.parent / "Dockerfile").write_text("FROM busybox\nCOPY root /\n")
    cli("build", "-q", "-t", "linked", str(root.parent))
    return "linked"


@pytest.fixture
def linked(cli: Cli, busybox: str, tmp_path: Path) -> str:
    return image(cli, tmp_path, LINKS)


def run(cli: Cli, *arguments: str, check: bool = True) -> str:
    """What is written, and the paths that ``diff`` calls added."""
    done = cli("run", "--name", "box", "--network", "none", *arguments, check=check)
    added = [line[2:] for line in cli("diff", "box").stdout.splitlines() if line.startswith("A ")]
    cli("rm", "box")
    return f"{done.stdout}{done.stderr}{' '.join(added)}"


@pytest.mark.parametrize("target", ["../run/systemd/resolve/stub-resolv.conf", "/absent/file", "resolv.conf", "hosts", "/plain"])
def test_docker_s_three_files_are_plain_ones(cli: Cli, busybox: str, tmp_path: Path, target: str) -> None:
    names = ("resolv.conf", "hosts", "hostname")
    image(cli, tmp_path, {f"etc/{name}": target for name in names})
    script = "for i in resolv.conf hosts hostname; do test -f /etc/$i -a ! -L /etc/$i -a -s /etc/$i || echo $i; done; cat /plain"
    assert run(cli, "--hostname", "box", "--dns", "192.0.2.1", "linked", "sh", "-c", script) == "plain"


@pytest.mark.parametrize(("name", "target"), [("sys", "bin"), ("proc", "absent"), ("dev", "/bin"), ("sys", "sys")])
def test_a_link_in_place_of_a_kernel_s_folder(cli: Cli, busybox: str, tmp_path: Path, name: str, target: str) -> None:
    image(cli, tmp_path, {name: target})
    script = f"test -L /{name} || grep -c ' /{name} ' /proc/mounts; test -x /bin/sh && ls /dev/null"
    assert run(cli, "linked", "sh", "-c", script) == "1\n/dev/null\n"


@pytest.mark.parametrize(
    ("options", "place", "added"),
    [
        (["-v", "FILE:/etc/localtime"], "/usr/share/zoneinfo/UTC", "/usr /usr/share /usr/share/zoneinfo /usr/share/zoneinfo/UTC"),
        (["-v", "FOLDER:/data"], "/mnt/data", "/mnt /mnt/data"),
        (["-v", "named:/data"], "/mnt/data", "/mnt /mnt/data"),
        (["--tmpfs", "/data"], "/mnt/data", "/mnt /mnt/data"),
        (["--mount", "type=image,src=busybox,dst=/data"], "/mnt/data", "/mnt /mnt/data"),
        (["-v", "FILE:/data/f"], "/mnt/data/f", "/mnt /mnt/data /mnt/data/f"),
        (["-v", "FOLDER:/data/a/b"], "/mnt/data/a/b", "/mnt /mnt/data /mnt/data/a /mnt/data/a/b"),
        (["-v", "FOLDER:/twice"], "/mnt2/deeper/x", "/mnt2 /mnt2/deeper /mnt2/deeper/x"),
        (["-v", "FOLDER:/up"], "/above/x", "/above /above/x"),
        (["-v", "FOLDER:/up/../y"], "/y", "/y"),
    ],
)
def test_a_mount(cli: Cli, linked: str, tmp_path: Path, options: list[str], place: str, added: str) -> None:
    (tmp_path / "file").write_text("file")
    (tmp_path / "folder").mkdir()
    asked = [option.replace("FILE", str(tmp_path / "file")).replace("FOLDER", str(tmp_path / "folder")) for option in options]
    assert run(cli, *asked, linked, "grep", "-c", f" {place} ", "/proc/mounts") == f"1\n{added}"
    assert not Path("/above").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-v", "FOLDER:/loop"], "too many levels of symbolic links"),
        (["-v", "FOLDER:/ring/x"], "too many levels of symbolic links"),
        (["--tmpfs", "/ring"], "too many levels of symbolic links"),
        (["-w", "/loop"], "too many levels of symbolic links"),
        (["-v", "FOLDER:/below-plain"], "not a directory"),
        (["-v", "FOLDER:/plain"], "mount /plain: not a directory"),
        (["-v", "FOLDER:/plain-link"], "mount /plain-link: not a directory"),
        (["-v", "/etc/passwd:/etc"], "mount /etc: is a directory"),
        (["-v", "FOLDER:/plain-link/x"], "not a directory"),
    ],
)
def test_a_mount_that_cannot_be(cli: Cli, linked: str, tmp_path: Path, options: list[str], why: str) -> None:
    asked = [option.replace("FOLDER", str(tmp_path)) for option in options]
    done = cli("run", "--rm", "--network", "none", *asked, linked, "true", check=False)
    assert done.returncode != 0 and why in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("asked", "place"),
    [("/data", "/mnt/data"), ("/twice/sub", "/mnt2/deeper/x/sub"), ("/etc/localtime", "/usr/share/zoneinfo/UTC")],
)
def test_a_working_directory(cli: Cli, linked: str, asked: str, place: str) -> None:
    assert run(cli, "-w", asked, linked, "pwd").startswith(f"{place}\n")


@pytest.mark.parametrize("path", ["/data/null", "/data", "/twice"])
def test_a_device(cli: Cli, linked: str, path: str) -> None:
    assert run(cli, "--device", f"/dev/null:{path}", linked, "stat", "-L", "-c", "%t:%T", path).startswith("1:3\n")


def test_a_device_does_not_take_the_place_of_a_file(cli: Cli, linked: str) -> None:
    assert run(cli, "--device", "/dev/null:/plain", linked, "cat", "/plain") == "plain"


def test_a_restart_finds_what_the_first_start_made(cli: Cli, linked: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("f")
    cli("create", "--name", "box", "--network", "none", "-v", f"{tmp_path}/f:/data/f", linked, "cat", "/mnt/data/f")
    assert [cli("start", "-a", "box").stdout for _ in range(2)] == ["f", "f"]


def test_a_step_of_a_build_after_such_a_link(cli: Cli, linked: str, tmp_path: Path) -> None:
    """Nothing of what was made to be mounted on stays in the image."""
    (tmp_path / "secret").write_text("secret")
    lines = [
        *("FROM linked", "RUN --network=none test -s /etc/hosts"),
        "RUN --network=none --mount=type=secret,id=s,target=/data cat /data > /got",
        "RUN --network=none --mount=type=cache,target=/data touch /data/x",
        "RUN --network=none --mount=type=tmpfs,target=/twice/t touch /twice/t/x",
    ]
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    cli("build", "-q", "-t", "built", "--secret", f"id=s,src={tmp_path}/secret", "-f", f"{tmp_path}/Dockerfile", str(tmp_path))
    script = "cat /got; find /mnt/data /mnt2/deeper/x/t 2>&1 | grep -v 'No such'"
    assert cli("run", "--rm", "--network", "none", "built", "sh", "-c", script, check=False).stdout == "secret"


def test_a_commit_takes_the_mount_points_that_were_asked_for(cli: Cli, linked: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("file")
    asked = ["-v", "named:/missing/deep", "-v", f"{tmp_path}/f:/etc/localtime", "-v", f"{tmp_path}/f:/new", "--tmpfs", "/tmpfs"]
    cli("run", "--name", "box", "--network", "none", *asked, linked, "touch", "/missing/deep/x", "/tmpfs/x")
    cli("commit", "box", "committed")
    script = "find /missing /new /tmpfs /usr/share/zoneinfo; cat /new"
    found = cli("run", "--rm", "--network", "none", "committed", "sh", "-c", script).stdout.split()
    assert found == ["/missing", "/missing/deep", "/new", "/tmpfs", "/usr/share/zoneinfo", "/usr/share/zoneinfo/UTC"]


# What is made in a root, in this process


def test_what_is_made_stays_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, target in {"a": "../../../../out", "b": f"{tmp_path}/out", "c": "x/../../../out"}.items():
        (root / name).symlink_to(target)
    fd = os.open(root, os.O_PATH)
    for inside in (b"a/f", b"b/f", b"c/f", b"../../d/f"):
        os.close(paths.make_in_root(fd, inside, paths.FILE))
    os.close(fd)
    assert not (tmp_path / "out").exists() and (root / "out/f").is_file() and (root / "d/f").is_file()


def test_no_link_where_none_may_be(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("absent")
    fd = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="symbolic links"):
        paths.make_in_root(fd, b"link", follow=False)
    os.close(fd)


def test_renames_beside_it_fail_no_open(tmp_path: Path) -> None:
    """The kernel answers EAGAIN to most of them (openat2(2)): nobody who opens sees it."""
    for name in ("root/a/b", "there", "other"):
        (tmp_path / name).mkdir(parents=True)
    ended = threading.Event()

    def rename() -> None:
        while not ended.is_set():
            (tmp_path / "there/x").mkdir()
            (tmp_path / "there/x").rename(tmp_path / "other/x")
            (tmp_path / "other/x").rmdir()

    threads = [threading.Thread(target=rename)]
    root = os.open(tmp_path / "root", os.O_PATH)
    for thread in threads:
        thread.start()
    try:
        for _ in range(2000):
            os.close(paths.open_in_root(root, "a/b/" + "../b/" * 300, os.O_PATH))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        os.close(root)
