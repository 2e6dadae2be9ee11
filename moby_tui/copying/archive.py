"""Where a copy goes, packing what is sent, and unpacking what a container sent, which is hostile."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from typing import NamedTuple

from moby_tui.engine.archive import tar
from moby_tui.engine.archive.incoming import consume
from moby_tui.engine.archive.pack import pack
from moby_tui.engine.archive.unpack import Adapt, unpack
from moby_tui.errors import InvalidArgument, NotFound

#: As Docker, which follows so many links from a destination.
MOST_LINKS = 10
_PIECE = 1 << 20


class Source(NamedTuple):
    """The source in a container. ``name`` is its name here unless the destination gives another; ``.`` if only the
    contents of a directory are wanted."""

    path: str
    name: str


def source(path: str, link_target: str = "") -> Source:
    """``link_target`` is the target of a link at the path, if it is to be followed: the copy keeps the link's name."""
    normalized = _normalized(path)
    read = normalized
    if link_target:
        trailing = "/." if _is_contents(normalized) else "/" if normalized.endswith("/") else ""
        read = os.path.normpath(os.path.join(os.path.dirname(normalized.rstrip("/")), link_target)) + trailing
    return Source(read, "." if _is_contents(normalized) else os.path.basename(normalized.rstrip("/")) or ".")


def _normalized(path: str) -> str:
    """Without ``.``, ``..`` and double slashes, but for what stands at its end and has a meaning there."""
    cleaned = os.path.normpath("/" + path.lstrip("/"))
    if cleaned != "/" and _is_contents(path):
        return f"{cleaned}/."
    return f"{cleaned}/" if path.endswith("/") and cleaned != "/" else cleaned


def _is_contents(path: str) -> bool:
    return path.endswith("/.")


def placement(target: str, name: str, *, is_directory: bool) -> tuple[str, str]:
    """The local folder to unpack in and the name that the copy gets there, of a source that is called ``name``.

    Docker's rules (https://docs.docker.com/reference/cli/docker/container/cp/): into a directory that exists, over or as a file,
    as a directory that does not exist yet; through a link, also one that leads to nothing yet. Raises ``NotFound`` where the
    parent is missing, ``InvalidArgument`` for a directory over a file.
    """
    path = _resolved(target)
    if os.path.isdir(path):
        return path, name
    bare = path.rstrip("/")
    parent = os.path.dirname(bare) or "."
    if not os.path.isdir(parent) or _is_contents(path):
        raise NotFound(f"no such directory: {bare.removesuffix('/.') if _is_contents(path) else parent}; make it first")
    if os.path.lexists(bare):
        if path.endswith("/"):
            raise InvalidArgument(f"{path} is not a directory")
        if is_directory:
            raise InvalidArgument(f"cannot copy a directory over the file {path}")
        if stat.S_ISCHR(mode := os.stat(bare).st_mode) or stat.S_ISBLK(mode):
            raise InvalidArgument(f"{path} is a device: name a directory or a regular file")
    elif path.endswith("/") and not is_directory:
        raise NotFound(f"no such directory: {path}; make it first, or name a file")
    return parent, os.path.basename(bare)


def _resolved(target: str) -> str:
    """Follows links at the end of the path. Raises ``InvalidArgument`` for a loop."""
    path = target
    for _ in range(MOST_LINKS + 1):
        if not os.path.islink(path.rstrip("/")):
            return path
        bare = path.rstrip("/")
        trailing = "/" if path != bare else ""
        path = os.path.join(os.path.dirname(bare), os.readlink(bare)) + trailing
    raise InvalidArgument(f"too many symbolic links in {target}")


async def extract(chunks: AsyncIterator[bytes], folder: str, *, name: str, owners: bool) -> None:
    """Unpacks into ``folder``, the root of the archive (its first entry) under the given name; ``owners`` keeps user and group.

    Nothing is written outside of ``folder``. Raises ``InvalidArgument`` if the archive would, and ``MobyError``.
    """
    await _unpacked(chunks, folder, adapt=_under(name), owners=owners)


def _under(name: str) -> Adapt:
    root: bytes | None = None

    def adapt(entry: tar.Entry) -> bool:
        nonlocal root
        root = entry.name.strip(b"/") if root is None else root
        entry.name = _renamed(entry.name, root, os.fsencode(name))
        if entry.type == tar.HARD_LINK:
            entry.link = _renamed(entry.link, root, os.fsencode(name))
        return True

    return adapt


def _renamed(name: bytes, old: bytes, new: bytes) -> bytes:
    """The name with its first part, ``old``, replaced. Raises ``InvalidArgument`` if it begins with another."""
    name = name.rstrip(b"/")
    if old in (b"", b"."):
        return new + b"/" + name.removeprefix(b"./")
    if name == old:
        return new
    if not name.startswith(old + b"/"):
        raise InvalidArgument(f"the archive names {os.fsdecode(name)[:200]!r}, which was not asked for")
    return new + name[len(old) :]


async def extract_all(chunks: AsyncIterator[bytes], folder: str) -> None:
    """Unpacks a whole root file system into ``folder``, over what is there, with its modes and times; all of it belongs to the caller.

    As ``extract`` it writes nothing outside; devices and pipes are left out, and set-id bits. Raises ``InvalidArgument``, ``MobyError``.
    """

    def adapt(entry: tar.Entry) -> bool:
        entry.mode = entry.mode & 0o777 | (0o700 if entry.type == tar.DIRECTORY else 0)
        return entry.type in (tar.REGULAR, tar.DIRECTORY, tar.SYMBOLIC_LINK, tar.HARD_LINK)

    await _unpacked(chunks, folder, adapt=adapt, strict=False)


async def _unpacked(
    chunks: AsyncIterator[bytes], folder: str, *, adapt: Adapt, owners: bool = False, strict: bool = True
) -> None:
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InvalidArgument(f"cannot write to {folder}: {(error.strerror or str(error)).lower()}") from None
    owner_of = (lambda uid, gid: (uid, gid)) if owners else None
    try:
        await consume(
            chunks, lambda pieces: unpack(pieces, root, b"/", strict=strict, owner_of=owner_of, adapt=adapt, shown=folder)
        )
    finally:
        os.close(root)


async def tree(path: str, name: str, *, owners: bool) -> AsyncIterator[bytes]:
    """The tar of a file or a tree under the given name; without ``owners`` it belongs to root. Raises ``NotFound``."""
    try:
        top = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        raise NotFound(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    chunks = pack(top, name, None if owners else lambda uid, gid: (0, 0))

    def piece() -> bytes:
        data = bytearray()
        while len(data) < _PIECE and (chunk := next(chunks, None)) is not None:
            data += chunk
        return bytes(data)

    try:
        while data := await asyncio.to_thread(piece):
            yield data
    finally:
        os.close(top)
