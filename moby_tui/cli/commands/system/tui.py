"""``moby tui``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.screens.forms.request import RunRequest

app = typer.Typer()


@app.command("tui")
def tui(
    container: Annotated[str, typer.Argument(metavar="[CONTAINER]", help="Open it on this container.", show_default=False)] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing in the engine.")] = False,
) -> None:
    """Open the dashboard."""
    session.require_root()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, stats and events"
        )
    first = ("containers", session.call(lambda client: _find(client, container))) if container else ()
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.app import run

    collect_as_usual()
    if code := run(session.connect, read_only=read_only, engines=NamedEngines(), read_run=_read_run, first=first):
        raise typer.Exit(code)


async def _find(client: Client, container: str) -> str:
    """The id of a container. Raises ``NotFound`` before the screen is taken."""
    return (await client.containers.inspect(container)).id


def _read_run(words: Sequence[str]) -> RunRequest:
    """Reads a line of ``run`` that the dashboard's form has written."""
    from moby_tui.cli.commands.containers.reading import read_run

    return read_run(words)
