"""Files out of and into containers: cp, export."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.cli.files.copying import copy_in, copy_out, split
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command("cp")
def cp(
    source: Annotated[str, typer.Argument(metavar="CONTAINER:SRC_PATH|SRC_PATH|-", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="CONTAINER:DEST_PATH|DEST_PATH|-", show_default=False)],
    archive: Annotated[bool, typer.Option("-a", "--archive", help="Archive mode (copy all uid/gid information)")] = False,
    follow_link: Annotated[bool, typer.Option("-L", "--follow-link", help="Always follow symbol link in SRC_PATH")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Suppress progress output during copy")] = False,
) -> None:
    """Copy files/folders between a container and the local filesystem ('-' is a tar archive on STDIN or STDOUT)."""
    from_container, from_path = split(source)
    to_container, to_path = split(target)
    if bool(from_container) == bool(to_container):
        raise InvalidArgument(
            "copying between containers is not supported" if from_container else "one of the two must be CONTAINER:PATH"
        )
    if from_container:
        session.call(
            lambda client: copy_out(client.containers, from_container, from_path, to_path, follow=follow_link, owners=archive)
        )
        place = to_path
    else:
        session.call(
            lambda client: copy_in(client.containers, from_path, to_container, to_path, follow=follow_link, owners=archive)
        )
        place = target
    if not quiet and place != "-" and sys.stderr.isatty():
        print(f"Successfully copied to {place}", file=sys.stderr)


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
