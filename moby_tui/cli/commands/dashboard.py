"""The dashboard, as the commands that open it do."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.screens.building.request import BuildRequest
    from moby_tui.screens.early.beginning import Beginning
    from moby_tui.screens.forms.request import RunRequest


def check_terminal() -> None:
    """Raises ``InvalidArgument`` without a terminal, and on one that only writes line after line (terminfo(5): dumb)."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, logs, stats and events"
        )
    if os.environ.get("TERM") == "dumb":
        raise InvalidArgument(
            "the dashboard cannot be drawn on this terminal (TERM=dumb): set TERM to what it is, or use moby ps, logs, stats and events"
        )


def find(containers: Sequence[str]) -> list[str]:
    """Returns the ids of the named containers. Raises ``NotFound``, before the dashboard takes the screen."""

    async def inspect(client: Client) -> list[str]:
        return [(await client.containers.inspect(container)).id for container in containers]

    return session.call(inspect) if containers else []


def show(first: Sequence[str], *, read_only: bool = False, in_browser: bool = False) -> int:
    """Shows the dashboard until the person leaves it. ``first`` is the page to begin with and what it is given. Returns the exit code."""
    from moby_tui.cli import garbage

    garbage.put_off()
    session.connect()  # a host that is none is told before the screen is taken
    if first or in_browser or session.current().host:
        return _run(first, read_only=read_only, in_browser=in_browser)
    # what the engine of this process has is drawn before Textual is imported, which takes twice as long
    from moby_tui.screens.early.beginning import Beginning

    with Beginning(session.connect) as beginning:
        beginning.draw(read_only=read_only)
        return _run(first, read_only=read_only, beginning=beginning)


def _run(first: Sequence[str], *, read_only: bool, in_browser: bool = False, beginning: Beginning | None = None) -> int:
    from moby_tui.cli import garbage
    from moby_tui.cli.commands.composing import PluggedIn
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.command_line import CommandLine
    from moby_tui.screens.start import Start, run

    return run(
        beginning.connect if beginning else session.connect,
        read_only=read_only,
        engines=NamedEngines(),
        command_line=CommandLine(_read_run, _read_build, PluggedIn()),
        first=first,
        in_browser=in_browser,
        start=Start(garbage.collect_as_usual, beginning.loop, beginning.terminal)
        if beginning
        else Start(garbage.collect_as_usual),
    )


def _read_run(words: Sequence[str]) -> RunRequest:
    """Reads a line of ``run`` that the dashboard's form has written."""
    from moby_tui.cli.commands.containers.reading import read_run

    return read_run(words)


def _read_build(words: Sequence[str]) -> BuildRequest:
    """Reads a line of ``build`` that the dashboard's form has written."""
    from moby_tui.cli.commands.builds.reading import read_build

    return read_build(words)
