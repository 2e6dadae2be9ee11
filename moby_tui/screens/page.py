"""What all pages of the dashboard share: the status line above, the keys below, and how an action is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from moby_tui.errors import NotModified
from moby_tui.screens import text
from moby_tui.screens.confirm import Confirm
from moby_tui.screens.session.session import TROUBLE, Session
from moby_tui.screens.widgets.status_bar import Banner, StatusBar

#: The pages in the order of their number keys, with their titles.
PAGES = {
    "containers": "Containers",
    "images": "Images",
    "volumes": "Volumes",
    "networks": "Networks",
    "events": "Events",
    "shells": "Shells",
}


class Page(Screen[None]):
    """A subclass says its ``mode`` and makes its ``content``."""

    mode: ClassVar[str]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def compose(self) -> ComposeResult:
        yield StatusBar(self.session, PAGES, self.mode)
        yield Banner(self.session)
        yield from self.content()
        yield Footer(compact=True)

    def content(self) -> Iterable[Widget]:
        """The page's own widgets."""
        raise NotImplementedError

    @work(group="actions")
    async def attempt(self, title: str, action: Callable[[], Awaitable[object]], done: str = "") -> None:
        """Runs an action as a task, and shows its result or error."""
        try:
            await action()
        except NotModified:
            pass
        except TROUBLE as error:
            self.notify(text.clean(str(error)), title=f"{title} failed", severity="error", timeout=10, markup=False)
            return
        if done:
            self.notify(done, timeout=3, markup=False)

    def attempt_confirmed(
        self, question: str, consequence: str, verb: str, action: Callable[[], Awaitable[object]], done: str = ""
    ) -> None:
        """As ``attempt``, after the person has confirmed."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(verb, action, done)

        self.app.push_screen(Confirm(question, consequence, verb), answered)
