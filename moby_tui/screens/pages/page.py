"""What all pages of the dashboard share: the status line above, the keys below, and how an action is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from moby_tui.errors import NotModified
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On, bindings
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.status_bar import Banner, StatusBar


class Page(Screen[None]):
    """A subclass says its ``mode`` and its ``ACTIONS``, and makes its ``content``.

    ``arrive`` is called each time that one comes with words, as by ``:logs web``.
    """

    mode: ClassVar[str]
    #: Declared once; ``BINDINGS``, help, palette and prompt come from it. Those of the base classes hold too.
    ACTIONS: ClassVar[tuple[Action, ...]] = ()
    _on_rows: ClassVar[dict[str, Action]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        cls.BINDINGS = bindings(cls.__dict__.get("ACTIONS", ()))
        cls._on_rows = {action.method: action for action in cls.actions() if action.on is not On.PAGE}
        super().__init_subclass__(**options)

    @classmethod
    def actions(cls) -> list[Action]:
        """All actions of the page: its own, then those of its bases that it does not declare anew."""
        found: dict[str, Action] = {}
        for base in cls.__mro__:
            for action in base.__dict__.get("ACTIONS", ()):
                found.setdefault(action.id, action)
        return list(found.values())

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.session = workspace.session

    def compose(self) -> ComposeResult:
        yield StatusBar(self.session, self.workspace.tabs(self.mode), self.mode)
        yield Banner(self.session)
        yield from self.content()
        yield Footer(compact=True)

    def content(self) -> Iterable[Widget]:
        """The page's own widgets."""
        raise NotImplementedError

    async def arrive(self, words: Sequence[str]) -> None:
        """Takes the words with which one came: by default nothing. The page is mounted and in front."""

    def targets(self) -> Sequence[Any]:
        """The rows that an action on rows would act on just now."""
        return ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the actions that do something just now are offered, and none while keys wait for another page."""
        if self.workspace.guide.holds_keys:
            return False
        declared = self._on_rows.get(action)
        return declared is None or declared.offered(self.targets())

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
