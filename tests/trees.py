"""A tree of files with one of everything, and all that there is to say of the files of a tree.

``python tests/trees.py ROOT`` writes the latter as JSON, for those who look into other namespaces.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

#: ``cap_net_raw=ep``, as revision 2 of the attribute (capabilities(7)).
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


class Entry(NamedTuple):
    """``content`` is the digest of a file or the target of a link; ``first`` the first name of the same file."""

    mode: str
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: int
    content: str
    attributes: tuple[tuple[str, str], ...]
    links: int
    first: str
    sparse: bool


def entries(root: Path) -> dict[str, Entry]:
    """By path. What is mounted in the tree is left out."""
    found: dict[str, Entry] = {}
    first: dict[int, str] = {}
    top = root.stat().st_dev
    for folder, directories, files in os.walk(root):
        directories[:] = sorted(name for name in directories if os.lstat(os.path.join(folder, name)).st_dev == top)
        for name in sorted(directories + files):
            path = Path(folder, name)
            status = path.lstat()
            if status.st_dev == top:
                own = str(path.relative_to(root))
                found[own] = _entry(path, status, first.setdefault(status.st_ino, own))
    return found


def _entry(path: Path, status: os.stat_result, first: str) -> Entry:
    kind = stat.S_IFMT(status.st_mode)
    content, directory = "", kind == stat.S_IFDIR
    if kind == stat.S_IFREG:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif kind == stat.S_IFLNK:
        content = os.readlink(path)
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return Entry(
        oct(status.st_mode),
        status.st_uid,
        status.st_gid,
        # a directory's is the file system's own affair
        0 if directory else status.st_size,
        status.st_mtime_ns,
        status.st_rdev,
        content,
        tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names),
        0 if directory else status.st_nlink,
        first,
        status.st_blocks * 512 < status.st_size - 100_000,
    )


def everything(top: Path) -> None:
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


if __name__ == "__main__":
    json.dump(entries(Path(sys.argv[1])), sys.stdout)
