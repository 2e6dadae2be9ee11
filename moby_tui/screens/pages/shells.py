"""The page of the shells: one tab for each; they live on while one looks at another page."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events, on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static, TabbedContent, TabPane

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.containers import Container
from moby_tui.screens.terminals.shell import Shell
from moby_tui.screens.widgets.terminal import LEAVE_KEY, Terminal

_HINT = " ctrl+] d  leave the shell · ctrl+] x  close it · ctrl+] n  next · shift+pgup  look back"
_ASKED = " now press  d leave · n next · p previous · x close · ctrl+] send it · other: stay"
_NONE = "No shell is open.\n\nGo to the containers (1), choose one that runs and press e."


class ShellsPage(Page):
    """Every key is the shell's but the prefix ``ctrl+]``, which makes the next one ours."""

    mode = "shells"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="shell.next", title="Next shell", keys="n", call="next(1)", tooltip="Bring the next shell to the front"),
        Action(
            id="shell.previous", title="Previous", keys="p", call="next(-1)", tooltip="Bring the shell before it to the front"
        ),
        Action(id="shell.close", title="Close", keys="x", tooltip="End the shell"),
        Action(id="shell.enter", title="Type into it", keys="enter", tooltip="Give it the keys"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
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

    async def arrive(self, words: Sequence[str]) -> None:
        """Opens a shell in each of the containers of these ids."""
        for identifier in words:
            if container := self.session.model.get(identifier):
                await self._open(container)

    async def _open(self, container: Container) -> None:
        """Opens a shell in a container, in a tab of its own, and gives it the keys."""
        number = next(self._numbers)
        terminal = Terminal(Shell(self.session, container.id), id=f"terminal-{number}")
        pane = TabPane(Content(f"{number} {container.name}"), terminal, id=f"shell-{number}")
        tabs = self.query_one(TabbedContent)
        await tabs.add_pane(pane)
        tabs.active = f"shell-{number}"
        self.set_class(True, "-some")
        terminal.focus()

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
            self.workspace.guide.go("containers")
            return
        elif event.key in ("n", "tab", "right", "p", "left"):
            self.action_next(-1 if event.key in ("p", "left") else 1)
        elif event.key == "x":
            self.action_close()
        self.action_enter()

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
                self.workspace.guide.go("containers")
        else:
            self.action_enter()

    def action_enter(self) -> None:
        if terminal := self.terminal:
            terminal.focus()
