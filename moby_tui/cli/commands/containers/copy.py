"""Files out of and into containers: cp, export."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.cli.files.copying import copy_in, copy_out, split
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ContainerCpOptions, ContainerExportOptions


def cp(options: ContainerCpOptions, source: str, target: str) -> None:
    """``moby cp``."""
    from_container, from_path = split(source)
    to_container, to_path = split(target)
    if bool(from_container) == bool(to_container):
        raise InvalidArgument(
            "copying between containers is not supported" if from_container else "one of the two must be CONTAINER:PATH"
        )
    if from_container:
        session.call(
            lambda client: copy_out(
                client.containers, from_container, from_path, to_path, follow=options.follow_link, owners=options.archive
            )
        )
        place = to_path
    else:
        session.call(
            lambda client: copy_in(
                client.containers, from_path, to_container, to_path, follow=options.follow_link, owners=options.archive
            )
        )
        place = target
    if not options.quiet and place != "-" and sys.stderr.isatty():
        print(f"Successfully copied to {place}", file=sys.stderr)


def export(options: ContainerExportOptions, container: str) -> None:
    """``moby export``."""
    session.call(lambda client: _export(client, container, options.output))


async def _export(client: Client, container: str, output: str) -> None:
    from moby_tui.cli.streams import write_archive

    await write_archive(client.containers.export(container), output or "-")
