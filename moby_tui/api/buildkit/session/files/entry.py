"""One file, folder or link of a tree that a client sends. What it says of it is hostile."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from moby_tui.api.buildkit.wire.fsutil_pb2 import Stat
from moby_tui.engine.archive import go_mode
from moby_tui.errors import InvalidArgument

#: The longest path and name that the kernel takes (limits.h).
_PATH, _NAME = 4095, 255
#: chown(2) takes it for "leave as it is".
_NOBODY = 0xFFFFFFFF
_MOST_MAJOR, _MOST_MINOR = 1 << 12, 1 << 20
#: Capabilities and what users noted, as in archives; other attributes belong to the host or to the file system.
_KEPT_XATTRS = (b"security.capability", b"user.")


class Entry(NamedTuple):
    """``path`` has neither ``.`` nor ``..`` in it. ``mode`` is stat(2)'s, ``mtime`` in nanoseconds since 1970.

    ``link`` is a symbolic link's target; of a regular file: the path of an earlier one that this is another name of.
    """

    path: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    device: int
    xattrs: dict[bytes, bytes]


def read(sent: Stat) -> Entry:
    """Raises ``InvalidArgument`` for what no tree has."""
    path, link = checked(sent.path), sent.linkname
    try:
        mode = go_mode.read(sent.mode)
    except ValueError as error:
        raise InvalidArgument(f"the client sends {shorten(path)}: {error}") from error
    if _NOBODY in (sent.uid, sent.gid):
        raise InvalidArgument(f"the client sends {shorten(path)} with the owner {sent.uid}:{sent.gid}, which nobody has")
    if not (0 <= sent.devmajor < _MOST_MAJOR and 0 <= sent.devminor < _MOST_MINOR):
        raise InvalidArgument(f"the client sends {shorten(path)} with a device number that does not exist")
    if stat.S_ISLNK(mode) and (not link or b"\0" in link or len(link) > _PATH):
        raise InvalidArgument(f"the client sends the link {shorten(path)} without a target that the kernel takes")
    return Entry(
        path,
        mode,
        sent.uid,
        sent.gid,
        sent.size,
        sent.modTime,
        checked(link) if link and stat.S_ISREG(mode) else link,
        os.makedev(sent.devmajor, sent.devminor) if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else 0,
        {xattr.key: xattr.value for xattr in sent.xattrs if kept(xattr.key)},
    )


def kept(attribute: bytes) -> bool:
    """True for the extended attributes that travel."""
    return attribute.startswith(_KEPT_XATTRS) and b"\0" not in attribute and len(attribute) <= _NAME


def checked(path: bytes) -> bytes:
    """The path. Raises ``InvalidArgument`` unless it is relative, clean, below the root, and one that the kernel takes."""
    if len(path) > _PATH or b"\0" in path:
        raise InvalidArgument(f"the client sends a path that the kernel does not take: {shorten(path)}")
    for name in path.split(b"/"):
        if name in (b"", b".", b"..") or len(name) > _NAME:
            raise InvalidArgument(f"the client sends {shorten(path)}, which is no path below the root")
    return path


def shorten(path: bytes) -> str:
    """The first 200 bytes of a path, quoted, for the text of an error."""
    return repr(os.fsdecode(path[:200]))
