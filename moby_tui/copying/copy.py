"""Copies between the local file system and a container, an image or a volume, by docker cp's rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from moby_tui.copying.archive import MOST_LINKS, extract, placement, tree
from moby_tui.copying.archive import source as source_of
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moby_tui.api.client.protocol import Archives, Readable
    from moby_tui.schema.container import PathStat

_DIRECTORY = 1 << 31  # Go's os.ModeDir


async def copy_out(there: Readable, ref: str, path: str, target: str, *, follow: bool, owners: bool) -> None:
    """Copies a path out of it to a local one. Raises ``NotFound``, ``InvalidArgument``, ``MobyError``."""
    stat, name, chunks = await open_out(there, ref, path, follow=follow)
    folder, name = placement(target, name, is_directory=bool(stat.mode & _DIRECTORY))
    await extract(chunks, folder, name=name, owners=owners)


async def open_out(there: Readable, ref: str, path: str, *, follow: bool) -> tuple[PathStat, str, AsyncIterator[bytes]]:
    """What is at a path, the name that its copy has unless the destination gives another, and the tar of it."""
    source = source_of(path)
    if follow:
        stat = await there.archive_stat(ref, source.path)
        source = source_of(path, stat.link_target)
    stat, chunks = await there.archive_get(ref, source.path)
    return stat, source.name, chunks


async def copy_in(there: Archives, source: str, ref: str, path: str, *, follow: bool, owners: bool) -> None:
    """Copies a local path into it. Raises ``NotFound``, ``InvalidArgument``, ``MobyError``."""
    if not os.path.lexists(source):
        raise NotFound(f"no such file or directory: {source}")
    local = os.path.realpath(source) if follow or source.endswith("/") else source
    folder, name = await _place(there, ref, path, local, contents=source.endswith("/."))
    sent = tree(local, name, owners=owners)
    await there.archive_put(ref, folder, sent, no_overwrite_dir_non_dir=True, copy_uid_gid=owners)


async def _place(there: Archives, ref: str, path: str, local: str, *, contents: bool) -> tuple[str, str]:
    """The folder to unpack in there, and the name the copy gets there (docker cp's rules)."""
    path, stat = await _resolved(there, ref, path)
    if stat is None:
        await there.inspect(ref)  # says so where it is that which is missing
        if path.endswith("/") and not os.path.isdir(local):
            raise NotFound(f"no such directory in {ref}: {path}")
        return os.path.dirname(path.rstrip("/")) or "/", os.path.basename(path.rstrip("/"))
    if stat.mode & _DIRECTORY:
        return path, "." if contents else os.path.basename(os.path.abspath(local))
    if os.path.isdir(local):
        raise InvalidArgument(f"cannot copy a directory over the file {path}")
    return os.path.dirname(path) or "/", os.path.basename(path)


async def _resolved(there: Archives, ref: str, path: str) -> tuple[str, PathStat | None]:
    """Follows links at the end of the path; returns where they lead, and what is there. Raises ``InvalidArgument`` for a loop."""
    target = path
    for _ in range(MOST_LINKS + 1):
        try:
            stat = await there.archive_stat(ref, target)
        except NotFound:
            return target, None
        if not stat.link_target:
            return target, stat
        target = os.path.join(os.path.dirname(target.rstrip("/")), stat.link_target)
    raise InvalidArgument(f"too many symbolic links in {path}")
