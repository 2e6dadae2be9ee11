"""What the application hands to each page: the session and what is shared, and the way to other pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from textual.events import Key
from textual.screen import Screen

from moby_tui.screens.actions.searches import Searches
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.listing.top_line import Tab
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.problems.watch import ProblemWatch
from moby_tui.screens.session.session import Session
from moby_tui.screens.session.stats_feed import StatsFeed


class Guide(Protocol):
    """The way from one page to another. The application is one."""

    @property
    def holds_screen(self) -> bool:
        """True while nothing is drawn, since the first rows are on their way."""
        ...

    @property
    def holds_keys(self) -> bool:
        """True while keys wait for a page that is being opened; no action may run by them meanwhile."""
        ...

    def hold_keys(self, *first: Key) -> None:
        """What is typed from now on waits until ``release_keys``; before it those keys that a widget got too late."""
        ...

    def release_keys(self) -> None:
        """What waits goes to the widget that has the focus once what was asked of widgets before is done."""
        ...

    def open_line(self, dialog: Screen[Any], answered: Callable[[Any], None]) -> None:
        """Opens a dialog with a line for input. What is typed before the dialog is on the screen goes into that line too."""
        ...

    def remember(self, change: Callable[[Preferences], None]) -> None:
        """Makes a change to the preferences, here and in the person's file."""
        ...

    def act(self, mode: str, action: str) -> None:
        """Goes to a page and does one of its actions there."""
        ...

    def go(self, mode: str, *words: str, hold_keys: bool = False) -> None:
        """Goes to a page, which is given the words (see ``Page.arrive``). Returns at once.

        ``hold_keys``: what is typed from now on waits until the page has taken the words, and goes to the widget that then has the
        focus.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """Shared by all pages. ``tabs`` gives what the top line of a page names; its argument is the page's ``mode``.

    ``command_line`` is what the dashboard has of one.
    """

    session: Session
    stats: StatsFeed
    preferences: Preferences
    tabs: Callable[[str], tuple[Tab, ...]]
    guide: Guide
    problems: ProblemWatch
    command_line: CommandLine
    searches: Searches
