"""Starts the dashboard for the command line, and ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.driver import Driver

from moby_tui.errors import InvalidArgument
from moby_tui.screens import preferences
from moby_tui.screens.app import Dashboard
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.session.engines import Engines
from moby_tui.screens.session.session import ClientFactory
from moby_tui.screens.theme import DARK
from moby_tui.screens.tty_driver import driver_over

if TYPE_CHECKING:
    from moby_tui.screens.raw_terminal import RawTerminal

#: An early frame with rows stands so long at the most before a page without them takes its place; seconds.
LONGEST_PICTURE = 3.0


@dataclass(frozen=True, slots=True)
class Start:
    """``loop`` is that of the engine that the first client is of, if that is open already; ``terminal`` has a picture on it, if there is
    one. ``settle`` is called once, when what starts with the dashboard has been done.
    """

    settle: Callable[[], None] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    terminal: RawTerminal | None = None


UNPREPARED = Start()


def run(
    connect: ClientFactory,
    *,
    read_only: bool = False,
    engines: Engines | None = None,
    command_line: CommandLine | None = None,
    first: Sequence[str] = (),
    in_browser: bool = False,
    start: Start = UNPREPARED,
) -> int:
    """Runs the dashboard until the person leaves it. ``connect`` makes a client of the engine that the global options name.

    ``in_browser``: standard input and output lead to ``moby_tui.web``, not to a terminal. ``start`` is what was prepared before this
    module was imported.

    The exit code: 0 if the person left it, 1 after a fault of the dashboard, else 128 and the signal that ended it.
    """
    try:
        chosen = preferences.load()
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    dashboard = Dashboard(
        connect,
        chosen,
        keeps=True,
        read_only=read_only,
        engines=engines,
        command_line=command_line,
        first=first,
        driver=_browser_driver() if in_browser else driver_over(start.terminal),
    )
    dashboard.settle = start.settle
    if start.terminal:
        dashboard.longest_hold = LONGEST_PICTURE
    dashboard.run(loop=start.loop)
    _tell_undone(dashboard.session.waiting_names)
    if not dashboard.no_color and dashboard.theme != (chosen.theme or DARK.name):
        preferences.change(lambda kept: setattr(kept, "theme", dashboard.theme))
    return dashboard.return_code or 0


def _tell_undone(names: Sequence[str]) -> None:
    """After a signal: what waited for its removal stays. The next dashboard tells it too, if there is no terminal any more."""
    if names:
        with suppress(OSError):
            print(f"moby tui: not removed, since a signal came before their minute was over: {', '.join(names)}", file=sys.stderr)


def _browser_driver() -> type[Driver]:
    """Imported by few."""
    from moby_tui.screens.browser_driver import BrowserDriver

    return BrowserDriver
