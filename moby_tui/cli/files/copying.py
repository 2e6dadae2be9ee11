"""``cp`` between the local file system and a container or a volume, by docker cp's rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Archives

_DIRECTORY = 1 << 31  # Go's os.ModeDir


def split(text: str) -> tuple[str, str]:
    """The container or volume (empty: the local file system) and the path. What begins with ``/`` or ``.`` is a local path."""
    ref, colon, path = text.partition(":")
    if not colon or not ref or text.startswith(("/", ".")):
        return "", text
    return ref, path or "/"


async def copy_out(there: Archives, ref: str, path: str, target: str, *, follow: bool, owners: bool) -> None:
    """Copies a path out of it to a local one; ``-`` is standard output."""
    from moby_tui.cli.files.archive import extract, placement
    from moby_tui.cli.files.archive import source as source_of
    from moby_tui.cli.streams import write_archive

    source = source_of(path)
    if follow:
        stat = await there.archive_stat(ref, source.path)
        source = source_of(path, stat.link_target)
    stat, chunks = await there.archive_get(ref, source.path)
    if target == "-":
        await write_archive(chunks, "-")
        return
    folder, name = placement(target, source.name, is_directory=bool(stat.mode & _DIRECTORY))
    await extract(chunks, folder, name=name, owners=owners)


async def copy_in(there: Archives, source: str, ref: str, path: str, *, follow: bool, owners: bool) -> None:
    """Copies a local path, or the archive on standard input, into it."""
    from moby_tui.cli.files.archive import tree
    from moby_tui.cli.streams import chunks_of

    if source == "-":
        await there.archive_put(ref, path, chunks_of("-"), copy_uid_gid=owners)
        return
    if not os.path.lexists(source):
        raise NotFound(f"no such file or directory: {source}")
    local = os.path.realpath(source) if follow or source.endswith("/") else source
    folder, name = await _place(there, ref, path, local, contents=source.endswith("/."))
    sent = tree(local, name, owners=owners)
    await there.archive_put(ref, folder, sent, no_overwrite_dir_non_dir=True, copy_uid_gid=owners)


async def _place(there: Archives, ref: str, path: str, local: str, *, contents: bool) -> tuple[str, str]:
    """The folder to unpack in there, and the name the copy gets there (docker cp's rules)."""
    try:
        stat = await there.archive_stat(ref, path)
    except NotFound:
        await there.inspect(ref)  # says so where it is that which is missing
        if path.endswith("/") and not os.path.isdir(local):
            raise NotFound(f"no such directory in {ref}: {path}") from None
        return os.path.dirname(path.rstrip("/")) or "/", os.path.basename(path.rstrip("/"))
    if stat.link_target:
        path = os.path.join(os.path.dirname(path.rstrip("/")), stat.link_target)
        return await _place(there, ref, path, local, contents=contents)
    if stat.mode & _DIRECTORY:
        return path, "." if contents else os.path.basename(os.path.abspath(local))
    if os.path.isdir(local):
        raise InvalidArgument(f"cannot copy a directory over the file {path}")
    return os.path.dirname(path) or "/", os.path.basename(path)
