"""Files out of and into containers: cp, export."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()

_DIRECTORY = 1 << 31  # Go's os.ModeDir


@app.command("cp")
def cp(
    source: Annotated[str, typer.Argument(metavar="CONTAINER:SRC_PATH|SRC_PATH|-", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="CONTAINER:DEST_PATH|DEST_PATH|-", show_default=False)],
    archive: Annotated[bool, typer.Option("-a", "--archive", help="Archive mode (copy all uid/gid information)")] = False,
    follow_link: Annotated[bool, typer.Option("-L", "--follow-link", help="Always follow symbol link in SRC_PATH")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Suppress progress output during copy")] = False,
) -> None:
    """Copy files/folders between a container and the local filesystem ('-' is a tar archive on STDIN or STDOUT)."""
    from_container, from_path = _split(source)
    to_container, to_path = _split(target)
    if bool(from_container) == bool(to_container):
        raise InvalidArgument(
            "copying between containers is not supported" if from_container else "one of the two must be CONTAINER:PATH"
        )
    if from_container:
        session.call(lambda client: _copy_out(client, from_container, from_path, to_path, follow=follow_link, owners=archive))
        place = to_path
    else:
        session.call(lambda client: _copy_in(client, from_path, to_container, to_path, follow=follow_link, owners=archive))
        place = target
    if not quiet and place != "-" and sys.stderr.isatty():
        print(f"Successfully copied to {place}", file=sys.stderr)


def _split(text: str) -> tuple[str, str]:
    """The container (empty: the local file system) and the path. What begins with ``/`` or ``.`` is a local path."""
    container, colon, path = text.partition(":")
    if not colon or not container or text.startswith(("/", ".")):
        return "", text
    return container, path or "/"


async def _copy_out(client: Client, container: str, path: str, target: str, *, follow: bool, owners: bool) -> None:
    from moby_tui.cli.archive import extract, placement
    from moby_tui.cli.archive import source as source_of
    from moby_tui.cli.streams import write_archive

    source = source_of(path)
    if follow:
        stat = await client.containers.archive_stat(container, source.path)
        source = source_of(path, stat.link_target)
    stat, chunks = await client.containers.archive_get(container, source.path)
    if target == "-":
        await write_archive(chunks, "-")
        return
    folder, name = placement(target, source.name, is_directory=bool(stat.mode & _DIRECTORY))
    await extract(chunks, folder, name=name, owners=owners)


async def _copy_in(client: Client, source: str, container: str, path: str, *, follow: bool, owners: bool) -> None:
    from moby_tui.cli.archive import tree
    from moby_tui.cli.streams import chunks_of

    if source == "-":
        await client.containers.archive_put(container, path, chunks_of("-"), copy_uid_gid=owners)
        return
    if not os.path.lexists(source):
        raise NotFound(f"no such file or directory: {source}")
    local = os.path.realpath(source) if follow or source.endswith("/") else source
    folder, name = await _place_in_container(client, container, path, local, contents=source.endswith("/."))
    sent = tree(local, name, owners=owners)
    await client.containers.archive_put(container, folder, sent, no_overwrite_dir_non_dir=True, copy_uid_gid=owners)


async def _place_in_container(client: Client, container: str, path: str, local: str, *, contents: bool) -> tuple[str, str]:
    """The folder of the container to unpack in, and the name the copy gets there (docker cp's rules)."""
    try:
        stat = await client.containers.archive_stat(container, path)
    except NotFound:
        await client.containers.inspect(container)  # says so where it is the container that is missing
        if path.endswith("/") and not os.path.isdir(local):
            raise NotFound(f"no such directory in the container: {path}") from None
        return os.path.dirname(path.rstrip("/")) or "/", os.path.basename(path.rstrip("/"))
    if stat.link_target:
        path = os.path.join(os.path.dirname(path.rstrip("/")), stat.link_target)
        return await _place_in_container(client, container, path, local, contents=contents)
    if stat.mode & _DIRECTORY:
        return path, "." if contents else os.path.basename(os.path.abspath(local))
    if os.path.isdir(local):
        raise InvalidArgument(f"cannot copy a directory over the file {path}")
    return os.path.dirname(path) or "/", os.path.basename(path)


@app.command("export")
def export(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    output: Annotated[
        str, typer.Option("-o", "--output", help="Write to a file, instead of STDOUT", metavar="string", show_default=False)
    ] = "",
) -> None:
    """Export a container's filesystem as a tar archive."""
    session.call(lambda client: _export(client, container, output))


async def _export(client: Client, container: str, output: str) -> None:
    from moby_tui.cli.streams import write_archive

    await write_archive(client.containers.export(container), output or "-")
