"""``moby tui``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import InvalidArgument

app = typer.Typer()


@app.command("tui")
def tui(
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing in the engine.")] = False,
) -> None:
    """Open the dashboard."""
    session.require_root()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, stats and events"
        )
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.app import run

    collect_as_usual()
    if code := run(session.connect, read_only=read_only, engines=NamedEngines()):
        raise typer.Exit(code)
