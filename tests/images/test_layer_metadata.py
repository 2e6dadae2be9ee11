"""A layer beside what GNU tar makes of the same archive: every name, kind, mode, owner, time, attribute, link and hole."""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_archives import CAPABILITY

from images_data import Tar
from moby_tui.engine.resources.images.apply import apply
from moby_tui.engine.resources.images.compression import decompress

Entry = tuple[object, ...]


def metadata(root: Path) -> dict[str, Entry]:
    """All that there is to say of each name; names of one file are told by the first of them."""
    found: dict[str, Entry] = {}
    first: dict[int, str] = {}
    for folder, directories, files in os.walk(root):
        for name in sorted(directories + files):
            path = Path(folder, name)
            status = path.lstat()
            kind = stat.S_IFMT(status.st_mode)
            own = str(path.relative_to(root))
            content = path.read_bytes() if kind == stat.S_IFREG else path.readlink() if kind == stat.S_IFLNK else b""
            names = sorted(os.listxattr(path, follow_symlinks=False))
            attributes = [(key, os.getxattr(path, key, follow_symlinks=False)) for key in names]
            found[own] = (
                *(oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, status.st_rdev, content, attributes),
                status.st_nlink if kind != stat.S_IFDIR else 0,
                first.setdefault(status.st_ino, own),
                status.st_blocks * 512 < status.st_size - 100_000,
            )
    return found


def ours(archive: Path, root: Path) -> dict[str, Entry]:
    root.mkdir()
    fd = os.open(root, os.O_RDONLY)
    try:
        with archive.open("rb") as file:
            apply(decompress(iter(lambda: file.read(1 << 18), b"")), fd)
    finally:
        os.close(fd)
    return metadata(root)


def tars(archive: Path, root: Path) -> dict[str, Entry]:
    root.mkdir()
    command = [
        "tar",
        "--xattrs",
        "--xattrs-include=*",
        "--numeric-owner",
        "--same-owner",
        "--delay-directory-restore",
        "-xpSf",
        str(archive),
        "-C",
        str(root),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return metadata(root)


def _tree(top: Path) -> None:
    """One of everything."""
    (top / "d/e").mkdir(parents=True)
    (top / "d/e/file").write_bytes(os.urandom(70_000))
    (top / "d/e/setuid").write_bytes(b"x")
    (top / "d/e/setuid").chmod(0o6751)
    (top / "d/sticky").mkdir()
    (top / "d/sticky").chmod(0o3777)
    (top / "d/link").symlink_to("../nowhere/at all")
    (top / "d/hard").hardlink_to(top / "d/e/file")
    os.link(top / "d/link", top / "hard-to-link", follow_symlinks=False)
    os.mkfifo(top / "fifo", 0o622)
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(top / "loop", stat.S_IFBLK | 0o660, os.makedev(7, 300))
    (top / ("long" * 60)).write_bytes(b"")
    os.mkdir(os.fsencode(top) + b"/not utf-8 \xff")
    with (top / "sparse").open("wb") as file:
        for at in (0, 3 << 20, 9 << 20):
            file.seek(at)
            file.write(os.urandom(5000))
        file.truncate(12 << 20)
    os.setxattr(top / "d/e/file", "user.note", b"\0\xff=\n")
    os.setxattr(top / "d/e", "user.of-a-directory", b"1")
    os.setxattr(top / "d/link", "trusted.of-a-link", b"2", follow_symlinks=False)
    os.chown(top / "d/e/file", 1234, 70_000)
    os.chown(top / "d/link", 5, 6, follow_symlinks=False)
    os.chown(top / "d/sticky", 2**31, 2**32 - 2)
    (top / "capable").write_bytes(b"x")
    os.chown(top / "capable", 7, 7)
    os.setxattr(top / "capable", "security.capability", CAPABILITY)
    for number, (folder, directories, files) in enumerate(os.walk(top)):
        for name in directories + files:
            os.utime(os.path.join(folder, name), ns=(10**18 + number, 10**18 + number * 7 + 1), follow_symlinks=False)


@pytest.mark.parametrize("format", ["gnu", "pax"])
@pytest.mark.parametrize("compression", [[], ["--gzip"], ["--zstd"]])
def test_one_of_everything(tmp_path: Path, format: str, compression: list[str]) -> None:
    (tmp_path / "tree").mkdir()
    _tree(tmp_path / "tree")
    options = ["--format=pax", "--xattrs", "--xattrs-include=*"] if format == "pax" else ["--format=gnu"]
    archive = tmp_path / "archive"
    subprocess.run(["tar", *options, *compression, "-cSf", str(archive), "-C", str(tmp_path / "tree"), "."], check=True)
    found = ours(archive, tmp_path / "ours")
    assert found == tars(archive, tmp_path / "tars")
    if format == "pax":
        assert found == metadata(tmp_path / "tree"), "nothing is lost on the way"
    assert len(found) == 15


_NAME = st.sampled_from(["a", "b", "c"])
_PATH = st.lists(_NAME, min_size=1, max_size=3).map("/".join)
_MEMBER = st.tuples(
    st.sampled_from(["file", "directory", "symlink", "fifo"]),
    _PATH,
    st.integers(0, 0o7777),
    st.integers(0, 70_000),
    st.integers(0, 2**33),
)


def _sensible(members: list[tuple[str, str, int, int, int]]) -> Callable[[str], bool]:
    """No name twice, and nothing below what is no directory: there tar and layers differ on purpose."""
    taken: dict[str, str] = {}
    for kind, path, *_ in members:
        taken.setdefault(path, kind)
    return lambda path: all(
        taken.get("/".join(path.split("/")[:depth]), "directory") == "directory" for depth in range(1, path.count("/") + 1)
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MEMBER, max_size=8, unique_by=lambda member: member[1]))
def test_any_archive(tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, str, int, int, int]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    fits = _sensible(members)
    tar = Tar(tarfile.GNU_FORMAT)
    for kind, path, mode, owner, mtime in members:
        if fits(path):
            values = {"mode": mode, "uid": owner, "gid": owner // 2, "mtime": mtime}
            if kind == "file":
                tar.add(path, data=path.encode() * 100, **values)
            elif kind == "directory":
                tar.directory(path, **values)
            elif kind == "symlink":
                tar.symlink(path, "../x", **values)
            else:
                tar.add(path, tarfile.FIFOTYPE, **values)
    (folder / "archive").write_bytes(tar.bytes())
    described = {path for _, path, *_ in members}
    found, expected = ours(folder / "archive", folder / "ours"), tars(folder / "archive", folder / "tars")
    assert found.keys() == expected.keys()
    # a directory that is only implied has the time at which it was made
    assert {path: found[path] for path in described & found.keys()} == {path: expected[path] for path in described & found.keys()}
