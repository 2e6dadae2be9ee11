"""``moby tui``."""

from __future__ import annotations

import typer

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual

app = typer.Typer()


@app.command("tui")
def tui() -> None:
    """Open the dashboard."""
    session.require_root()
    from pathlib import Path

    from moby_tui.screens.app import run

    collect_as_usual()
    given = session.current()
    run(given.host, Path(given.data_root) if given.data_root else None, Path(given.exec_root) if given.exec_root else None)
