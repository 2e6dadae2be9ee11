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
    if session.program() == "docker":
        _check_as_docker(source, target)
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


def _check_as_docker(source: str, target: str) -> None:
    """Raises ``InvalidArgument`` for what docker's command line refuses before it asks an engine."""
    import os

    if not source:
        raise InvalidArgument("source can not be empty")
    if not target:
        raise InvalidArgument("destination can not be empty")
    (from_container, path), (to_container, _) = split(source), split(target)
    if not from_container and not to_container:
        raise InvalidArgument("must specify at least one container source")
    if from_container and source.endswith(":"):
        raise InvalidArgument("Error response from daemon: bad parameter: pathcannot be empty")
    if to_container and target.endswith(":"):
        raise InvalidArgument("no such directory")
    if to_container and not from_container and source != "-" and not os.path.lexists(path):
        raise InvalidArgument(f"lstat {os.path.abspath(path)}: no such file or directory")
    folder = os.path.dirname(target.rstrip("/")) or "."
    if not to_container and target != "-" and not os.path.isdir(folder):
        raise InvalidArgument(f'invalid output path: directory "{folder}" does not exist')


def export(options: ContainerExportOptions, container: str) -> None:
    """``moby export``."""
    if options.output and session.program() == "docker":
        _require_place(options.output)
    session.call(lambda client: _export(client, container, options.output))


def _require_place(path: str) -> None:
    """Raises ``InvalidArgument``, in docker's words, if no file can be written there."""
    import os

    folder, before = os.path.dirname(path) or ".", "failed to export container: "
    if not os.path.exists(folder):
        raise InvalidArgument(f"{before}invalid output path: stat {folder}: no such file or directory")
    if os.path.isdir(path):
        raise InvalidArgument(f"{before}cannot write to a directory")


async def _export(client: Client, container: str, output: str) -> None:
    from moby_tui.cli.streams import write_archive

    await write_archive(client.containers.export(container), output or "-")
