"""``cp`` of the command line: what its arguments name, and ``-`` for an archive on standard input or output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Archives


def split(text: str) -> tuple[str, str]:
    """The container or volume (empty: the local file system) and the path. What begins with ``/`` or ``.`` is a local path."""
    ref, colon, path = text.partition(":")
    if not colon or not ref or text.startswith(("/", ".")):
        return "", text
    return ref, path or "/"


async def copy_out(there: Archives, ref: str, path: str, target: str, *, follow: bool, owners: bool) -> None:
    """Copies a path out of it to a local one; ``-`` is standard output."""
    from moby_tui.cli.streams import write_archive
    from moby_tui.copying import copy

    if target == "-":
        _, _, chunks = await copy.open_out(there, ref, path, follow=follow)
        await write_archive(chunks, "-")
    else:
        await copy.copy_out(there, ref, path, target, follow=follow, owners=owners)


async def copy_in(there: Archives, source: str, ref: str, path: str, *, follow: bool, owners: bool) -> None:
    """Copies a local path, or the archive on standard input, into it."""
    from moby_tui.cli.streams import chunks_of
    from moby_tui.copying import copy

    if source == "-":
        await there.archive_put(ref, path, chunks_of("-"), copy_uid_gid=owners)
    else:
        await copy.copy_in(there, source, ref, path, follow=follow, owners=owners)
