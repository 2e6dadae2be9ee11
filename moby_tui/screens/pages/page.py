"""What all pages of the dashboard share: the status line above, the keys below, and how an action is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Key, ScreenResume, ScreenSuspend
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from moby_tui.errors import NotModified
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On, bindings
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.filter_bar import KeepsSearches
from moby_tui.screens.widgets.key_bar import KeyBar
from moby_tui.screens.widgets.status_bar import Banner, StatusBar

if TYPE_CHECKING:
    from moby_tui.screens.dialogs.confirm import Confirm
    from moby_tui.screens.dialogs.form import Answers
    from moby_tui.screens.dialogs.preview import Preview, Sizes
    from moby_tui.screens.widgets.inspect_view import InspectView

#: Names that a question or an error lists.
LISTED = 8
#: Rows that an action on many works on at a time.
AT_ONCE = 8


class Named(Protocol):
    """A row that actions act on. ``name`` is clean."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=Named)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before an action. ``{rows}`` in the text stands for what it acts on, ``{the}`` before it for "the image" if that
    is one; ``consequence`` says what is lost.

    ``sizes`` finds the bytes that come back, for a preview. ``verb`` is on the button, in place of the action's title.
    """

    text: str
    consequence: str
    sizes: Sizes | None = None
    verb: str = ""


class Page(KeepsSearches, Screen[None]):
    """A subclass says its ``mode`` and its ``ACTIONS``, and makes its ``content``.

    Dialogs, and what else the first picture does without, are imported by the methods that open them.

    ``arrive`` is called each time that one comes with words, as by ``:logs web``.
    """

    mode: ClassVar[str]
    #: What one row is called: ``container``.
    noun: ClassVar[str] = "row"
    #: Declared once; ``BINDINGS``, help, palette and prompt come from it. Those of the base classes hold too.
    ACTIONS: ClassVar[tuple[Action, ...]] = ()
    #: Those that are not always offered, by their method.
    _declared: ClassVar[dict[str, Action]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        cls.BINDINGS = bindings(cls.__dict__.get("ACTIONS", ()))
        cls._declared = {
            action.method: action for action in cls.actions() if action.changes or action.ours or action.on is not On.PAGE
        }
        super().__init_subclass__(**options)

    @classmethod
    def actions(cls) -> list[Action]:
        """All actions of the page: its own, then those of its bases that it does not declare anew."""
        by_id: dict[str, Action] = {}
        for base in cls.__mro__:
            for action in base.__dict__.get("ACTIONS", ()):
                by_id.setdefault(action.id, action)
        return list(by_id.values())

    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        """The widgets of the page that have actions of their own, for the table of keys. Imports those that the page makes late."""
        return ()

    @classmethod
    def action(cls, identifier: str) -> Action:
        """The action of this id. Raises ``KeyError``."""
        return {action.id: action for action in cls.actions()}[identifier]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.session = workspace.session
        self.searches = workspace.searches
        #: The rows that a command names, while it is carried out.
        self._named: Sequence[Any] | None = None
        #: True once another page has been in front since this one was made.
        self._was_left = False

    def compose(self) -> ComposeResult:
        yield StatusBar(self.session, self.workspace.tabs(self.mode), self.mode)
        yield Banner(self.session)
        with Container(id="body"):
            yield from self.content()
        yield KeyBar()

    def fit_to(self, size: Size) -> None:
        """Takes the classes of a screen of this size before it has any widget: later all of them would be styled again."""
        for length, breakpoints in (
            (size.width, self.app.HORIZONTAL_BREAKPOINTS),
            (size.height, self.app.VERTICAL_BREAKPOINTS),
        ):
            self.add_class(*self._get_breakpoint_classes(length, breakpoints or []), update=False)
        self._css_update_count = self.app._css_update_count

    @on(ScreenSuspend)
    def _suspended(self) -> None:
        self._was_left = True

    @on(ScreenResume)
    def _resumed(self, event: ScreenResume) -> None:
        """The widgets of a page that was just made have their styles, which Textual would make anew here."""
        event.refresh_styles = event.refresh_styles and self._was_left

    def _compositor_refresh(self) -> None:
        """Textual makes a picture here even if it is not shown."""
        if not self.workspace.guide.holds_screen:
            super()._compositor_refresh()

    @property
    def is_hidden(self) -> bool:
        """True while another page is in front. Behind a dialog a page is still seen."""
        return self not in self.app.screen_stack

    def content(self) -> Iterable[Widget]:
        """The page's own widgets."""
        raise NotImplementedError

    async def arrive(self, words: Sequence[str]) -> None:
        """Takes the words with which one came: by default nothing. The page is mounted and in front."""

    def targets(self) -> Sequence[Any]:
        """The rows that an action on rows would act on just now."""
        return ()

    def rows_named(self, names: Sequence[str]) -> Sequence[Any]:
        """The rows of these names or ids. Raises ``ValueError`` for one that is not there."""
        raise ValueError(f"the page {self.mode} has no rows that a command could name")

    async def ready(self) -> None:
        """Returns once the rows are there."""

    async def act_on(self, identifier: str, names: Sequence[str]) -> None:
        """Does one of the page's actions, to the rows of these names if there are names, else to its targets.

        Raises ``ValueError`` if it does nothing just now.
        """
        action = self.action(identifier)
        self._named = self.rows_named(names) if names else None
        try:
            if reason := self.refusal(action):
                raise ValueError(reason)
            if not self.check_action(action.method, ()):
                raise ValueError(f"{action.words} does nothing to {' '.join(names) or 'what is chosen'} just now")
            await self.run_action(action.call or action.method)
        finally:
            self._named = None

    def row(self) -> str:
        """The id of the row under the cursor, for the way back; empty without one."""
        return ""

    def return_to(self, row: str) -> None:
        """Puts the cursor on a row on which it was, if it is still there."""

    def refusal(self, action: Action) -> str:
        """Why an action is greyed; empty if it is not."""
        if action.changes and self.session.read_only:
            return "the dashboard is read-only; start it without --read-only"
        if action.ours and not self.session.connection.ours:
            return f"{action.title} needs moby at the other end: {self.session.connection.engine} does not know it"
        return ""

    def on_key(self, event: Key) -> None:
        """A greyed key says why."""
        if not self.session.read_only and self.session.connection.ours:
            return
        active = self.active_bindings.get(event.key)
        if active is None or active.enabled or active.node is not self:
            return
        declared = self._declared.get(active.binding.action.partition("(")[0])
        if declared and (reason := self.refusal(declared)):
            self.notify(reason, severity="warning", timeout=5, markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the actions that do something just now are offered, and none while keys wait for another page."""
        if self.workspace.guide.holds_keys:
            return False
        declared = self._declared.get(action)
        if declared is None:
            return True
        if self.refusal(declared):
            return None
        return declared.offered(self.targets() if declared.on is not On.PAGE else ())

    @work(group="actions")
    async def attempt(self, title: str, action: Callable[[], Awaitable[object]], done: str = "", *, command: str = "") -> None:
        """Runs an action as a task, shows its result or error, and writes it into the activity with the command line that does the
        same.
        """
        deed = self.session.begin(title, command)
        try:
            await action()
        except NotModified:
            self.session.end(deed, Outcome.DONE, "it was so already")
        except TROUBLE as error:
            self.session.end(deed, Outcome.FAILED, text.clean(str(error)))
            self.notify(text.clean(str(error)), title=f"{title} failed", severity="error", timeout=10, markup=False)
            return
        else:
            self.session.end(deed, Outcome.DONE)
        if done:
            self.notify(done, timeout=3, markup=False)

    def perform(
        self,
        identifier: str,
        each: Callable[[Any], Awaitable[object]],
        *,
        done: str,
        question: Question | None = None,
    ) -> None:
        """Carries out one of the page's actions on its targets, those to which it does something.

        ``each`` does it to one row; ``done`` is said after the row's name: ``stopped``. With a question the person is asked first.
        """
        action = self.action(identifier)
        rows = action.takes(self.targets())
        if not rows:
            return
        if question:
            self.ask(identifier, question, partial(self._carry_out, action, rows, each, done))
        else:
            self._carry_out(action, rows, each, done)

    def ask(self, identifier: str, question: Question, then: Callable[[], object]) -> None:
        """Asks before an action is carried out on its targets, in a preview where much is lost. After a yes ``then`` is called."""
        from moby_tui.screens.dialogs.preview import Preview

        action = self.action(identifier)

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        if rows := action.takes(self.targets()):
            dialog = self._dialog(action, rows, question)
            if isinstance(dialog, Preview):
                self.workspace.guide.open_line(dialog, answered)
            else:
                self.app.push_screen(dialog, answered)

    def _dialog(self, action: Action, rows: Sequence[Any], question: Question) -> Confirm | Preview:
        """A preview for what destroys several rows or what is kept for good, else a short question."""
        from moby_tui.screens.dialogs.confirm import Confirm
        from moby_tui.screens.dialogs.preview import Preview

        several = len(rows) > 1
        of = f"{len(rows)} {self.noun}s" if several else rows[0].name
        message = question.text.format(rows=of, the="" if several else f"the {self.noun} ")
        verb, consequence = question.verb or action.title, question.consequence
        if action.destroys and (several or action.typed):
            word = str(len(rows)) if several else rows[0].name
            return Preview(message, consequence, verb, [(row.id, row.name) for row in rows], word, question.sizes)
        if several:
            names = ", ".join(row.name for row in rows[:LISTED]) + (
                f" and {len(rows) - LISTED} more" if len(rows) > LISTED else ""
            )
            consequence = f"{names}\n\n{consequence}"
        return Confirm(message, consequence, verb)

    @work(group="actions")
    async def _carry_out(self, action: Action, rows: Sequence[Any], each: Callable[[Any], Awaitable[object]], done: str) -> None:
        """Does it to all rows, a few at a time, and shows and writes down what came of it."""
        deed = self.session.begin(action.title, action.command_line(row.name for row in rows))
        turns = asyncio.Semaphore(AT_ONCE)

        async def attempt(row: Any) -> str:
            async with turns:
                try:
                    await each(row)
                except NotModified:
                    pass
                except TROUBLE as error:
                    return f"{row.name}: {text.clean(str(error))}" if len(rows) > 1 else text.clean(str(error))
            return ""

        self.acted()
        failed = [failure for failure in await asyncio.gather(*map(attempt, rows)) if failure]
        self.session.end(deed, Outcome.FAILED if failed else Outcome.DONE, "; ".join(failed))
        if failed:
            self.notify("\n".join(failed[:LISTED]), title=f"{action.title} failed", severity="error", timeout=10, markup=False)
        if succeeded := len(rows) - len(failed):
            what = rows[0].name if len(rows) == 1 else f"{succeeded} {self.noun}s"
            self.notify(f"{what} {done}", timeout=3, markup=False)

    def acted(self) -> None:
        """An action on rows has begun."""

    # Settings of an object

    def on_inspect_view_source_asked(self, event: InspectView.SourceAsked) -> None:
        from moby_tui.screens.dialogs.source import Source  # with the text area, for those who ask for it alone

        self.app.push_screen(Source(text.clean(str(event.value.get("Name", ""))).removeprefix("/") or "settings", event.value))

    def on_inspect_view_search_asked(self, event: InspectView.SearchAsked) -> None:
        from moby_tui.screens.dialogs.ask import Ask
        from moby_tui.screens.dialogs.form import Field

        def answered(answers: Answers | None) -> None:
            if answers:
                event.view.search(answers["word"])

        field = Field("word", "Word", event.view.word, "in a name or a value")
        self.app.push_screen(Ask("Search", "Goes to the next that has it; n and N go on.", [field], "Search"), answered)

    def attempt_confirmed(
        self, question: str, consequence: str, verb: str, action: Callable[[], Awaitable[object]], done: str = ""
    ) -> None:
        """As ``attempt``, after the person has confirmed."""
        from moby_tui.screens.dialogs.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(verb, action, done)

        self.app.push_screen(Confirm(question, consequence, verb), answered)
