"""The page of the shells: one tab for each; they live on while one looks at another page."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from textual import events, on, work
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static, TabbedContent, TabPane

from moby_tui.screens import text
from moby_tui.screens.page import Page
from moby_tui.screens.session.model import Container
from moby_tui.screens.session.session import Session
from moby_tui.screens.shell import Shell
from moby_tui.screens.widgets.terminal import LEAVE_KEY, Terminal

_HINT = " ctrl+] d  leave the shell · ctrl+] x  close it · ctrl+] n  next · shift+pgup  look back"
_ASKED = " now press  d leave · n next · p previous · x close · ctrl+] send it · other: stay"
_NONE = "No shell is open.\n\nGo to the containers (1), choose one that runs and press e."


class ShellsPage(Page):
    """Every key is the shell's but the prefix ``ctrl+]``, which makes the next one ours."""

    mode = "shells"
    BINDINGS = [  # noqa: RUF012
        Binding("n", "next(1)", "Next shell", id="shell.next"),
        Binding("p", "next(-1)", "Previous", id="shell.previous"),
        Binding("x", "close", "Close", id="shell.close"),
        Binding("enter", "enter", "Type into it", id="shell.enter"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._numbers = itertools.count(1)
        self._asked = False

    def content(self) -> Iterable[Widget]:
        yield TabbedContent(id="shells")
        yield Static(_NONE, id="no-shell")
        yield Static(_HINT, id="shell-hint")

    @property
    def terminal(self) -> Terminal | None:
        """The terminal in front."""
        pane = self.query_one(TabbedContent).active_pane
        return pane.query_one(Terminal) if pane else None

    async def open(self, container: Container) -> Terminal:
        """Opens a shell in a container, in a tab of its own, and gives it the keys."""
        number = next(self._numbers)
        terminal = Terminal(Shell(self.session, container.id), id=f"terminal-{number}")
        pane = TabPane(Content(f"{number} {container.name}"), terminal, id=f"shell-{number}")
        tabs = self.query_one(TabbedContent)
        await tabs.add_pane(pane)
        tabs.active = f"shell-{number}"
        self.set_class(True, "-some")
        terminal.focus()
        return terminal

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.action_enter)

    def on_key(self, event: events.Key) -> None:
        """The key after the prefix comes here and not to the shell: the prefix takes the focus off the terminal."""
        if not self._asked:
            return
        event.stop()
        event.prevent_default()
        self._ask(False)
        terminal = self.terminal
        if event.key == LEAVE_KEY and terminal:
            terminal.send(b"\x1d")
        elif event.key in ("d", "q", "escape"):
            self.post_message(self.Left())
            return
        elif event.key in ("n", "tab", "right", "p", "left"):
            self.action_next(-1 if event.key in ("p", "left") else 1)
        elif event.key == "x":
            self.action_close()
        self.action_enter()

    class Left(Message):
        """Back to the containers."""

    @on(Terminal.Prefix)
    def _prefix(self) -> None:
        self._ask(True)

    def _ask(self, asked: bool) -> None:
        self._asked = asked
        hint = self.query_one("#shell-hint", Static)
        hint.update(_ASKED if asked else _HINT)
        hint.set_class(asked, "-asked")
        if asked:
            self.set_focus(None)

    @on(Terminal.Ended)
    def _ended(self, event: Terminal.Ended) -> None:
        if event.failed:
            self.notify(text.clean(event.reason), title="Shell failed", severity="error", timeout=10, markup=False)
            return
        pane = event.terminal.parent
        if isinstance(pane, TabPane) and pane.id:
            self._close(pane.id)

    def action_next(self, step: int) -> None:
        tabs = self.query_one(TabbedContent)
        order = [pane.id for pane in tabs.query(TabPane) if pane.id]
        if order:
            tabs.active = order[(order.index(tabs.active) + step) % len(order)]
            self.call_after_refresh(self.action_enter)

    def action_close(self) -> None:
        if active := self.query_one(TabbedContent).active:
            self._close(active)

    @work
    async def _close(self, pane: str) -> None:
        tabs = self.query_one(TabbedContent)
        await tabs.remove_pane(pane)
        if not tabs.query(TabPane):
            self.remove_class("-some")
            if self.is_current:
                self.post_message(self.Left())
        else:
            self.action_enter()

    def action_enter(self) -> None:
        if terminal := self.terminal:
            terminal.focus()
