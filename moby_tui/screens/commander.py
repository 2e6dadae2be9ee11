"""Carries commands out: those of the prompt, the person's own, and the application's dialogs. Imported when one is first wanted."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from textual.app import App, SuspendNotSupported

from moby_tui.errors import MobyError
from moby_tui.screens import commands, jumping, preferences, text
from moby_tui.screens.actions.user_commands import UserCommand, questions, words
from moby_tui.screens.actions.vocabulary import History, Vocabulary
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Notice
from moby_tui.screens.dialogs.form import Field
from moby_tui.screens.dialogs.help import Help
from moby_tui.screens.dialogs.jump import Jump, Target
from moby_tui.screens.dialogs.picker import Picker
from moby_tui.screens.dialogs.prompt import Prompt
from moby_tui.screens.pages import keys
from moby_tui.screens.pages.list_page import ListPage
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.session.engines import Engines

_NO_COLOURS = "there are no colours to choose: NO_COLOR is set"


class Visits(Protocol):
    """The way between pages. The application is one."""

    @property
    def page(self) -> Page:
        """The page in front, perhaps under a dialog."""
        ...

    async def visit(self, mode: str) -> Page:
        """Goes to a page and returns it once it is there."""
        ...


class Commander:
    """``keeps``: what is typed into the prompt is remembered in the person's folder."""

    def __init__(self, app: App[Any], visits: Visits, workspace: Workspace, engines: Engines, *, keeps: bool) -> None:
        self._app, self._visits, self._workspace, self._engines = app, visits, workspace, engines
        self._session = workspace.session
        self._keeps = keeps
        self._history = History(preferences.load_history() if keeps else ())

    def _refuse(self, error: Exception) -> None:
        self._app.notify(text.clean(str(error)), severity="error", markup=False)

    # The prompt

    def ask(self, value: str = "") -> None:
        """Asks for a command, and carries it out."""
        understood = self._vocabulary()

        def sent(line: str | None) -> None:
            if not line:
                return
            self._history.add(line)
            if self._keeps:
                preferences.save_history(self._history.lines)
            try:
                command, given = understood.find(line)
                command.run(given)
            except ValueError as error:
                self._refuse(error)

        self._workspace.guide.open_line(Prompt(understood, self._history, value), sent)

    def _vocabulary(self) -> Vocabulary:
        lists = {"theme": self._themes, "context": lambda: (name for name, _ in self._engines.names())}
        own = self._workspace.preferences.commands
        return commands.vocabulary(self, self._session, type(self._visits.page), own, lists)

    def go(self, mode: str, words: Sequence[str]) -> None:
        self._workspace.guide.go(mode, *words)

    def act(self, mode: str, action: str, names: Sequence[str]) -> None:
        """Does an action of a page to what has these names; goes there first if it is another page."""
        self._app.run_worker(self._act(mode, action, names), group="commands")

    async def _act(self, mode: str, action: str, names: Sequence[str]) -> None:
        page = await self._visits.visit(mode)
        try:
            await page.ready()
            await page.act_on(action, names)
        except ValueError as error:
            self._refuse(error)

    def mark(self, query: str) -> None:
        """Marks the rows of the page that match a filter."""
        page = self._visits.page
        if not isinstance(page, ListPage):
            raise ValueError("this page has no rows to mark")
        page.mark(query)

    def leave(self) -> None:
        self._app.run_worker(self._app.action_quit())

    def show_help(self) -> None:
        """The keys of the page."""
        sections = keys.sections(type(self._visits.page), self._workspace.preferences.keymap)
        rows = [(one.title, [(row.keys, row.title, row.tooltip, row.id) for row in one.rows]) for one in sections]
        self._app.push_screen(Help(rows, str(preferences.preferences_path()), in_browser=self._app.is_web))

    def jump(self) -> None:
        """Puts a letter on each part and row that is seen."""

        def chosen(target: Target | None) -> None:
            if target:
                target.go()

        self._app.push_screen(Jump(list(jumping.targets(self._app.screen))), chosen)

    # Themes

    def _themes(self) -> Iterable[str]:
        """Ours first."""
        return sorted(self._app.available_themes, key=lambda name: (not name.startswith("moby"), name))

    def use_theme(self, name: str) -> None:
        if self._app.no_color:
            raise ValueError(_NO_COLOURS)
        if name not in self._app.available_themes:
            raise ValueError(f"there is no theme {name}; press tab for what there is")
        self._app.theme = name

    def choose_theme(self) -> None:
        """The theme under the cursor is shown at once; escape leaves the one before."""
        if self._app.no_color:
            self._refuse(ValueError(_NO_COLOURS))
            return
        before = self._app.theme
        options = [(name, name) for name in self._themes()]
        self._app.push_screen(Picker("Theme", options, before, self.use_theme), lambda name: self.use_theme(name or before))

    # Engines

    def use_context(self, name: str) -> None:
        """Another engine, a context or a host; what is shown stays, marked as stale, until the new one answers."""
        if self._session.removals:
            raise ValueError("containers wait for their removal on this engine; take it back (u) or carry it out (d) first")
        try:
            factory = self._engines.factory(name)
            factory()  # a host that is none is told before the old engine is left
        except MobyError as error:
            raise ValueError(str(error)) from error
        self._session.switch(factory, name)

    def choose_context(self) -> None:
        """Lists the engines that there are names for."""
        engines = [(name, f"{name}  {about}") for name, about in self._engines.names()]

        def picked(name: str | None) -> None:
            if name and name != self._session.engine_name:
                try:
                    self.use_context(name)
                except ValueError as error:
                    self._refuse(error)

        self._app.push_screen(Picker("Engines", engines, self._session.engine_name), picked)

    # The person's own commands

    def own(self, command: UserCommand) -> None:
        """Asks what a command of the person's own asks, and runs it."""
        if self._session.read_only:
            self._refuse(ValueError("the dashboard is read-only; a command of your own might change something"))
            return
        queries = questions(command)
        row = next(iter(self._visits.page.targets()), None)
        fields = [
            Field(str(place), one.text, one.choices[0] if one.choices else "", choices=one.choices)
            for place, one in enumerate(queries)
        ]

        def answered(answers: dict[str, str] | None) -> None:
            if answers is not None:
                given = {one.text: answers[str(place)] for place, one in enumerate(queries)}
                self._app.run_worker(self._run(command, commands.fields_of(row), given), group="commands")

        if queries or command.confirm:
            name = f" · {row.name}" if row else ""
            self._app.push_screen(Ask((command.title or command.name) + name, command.run, fields, "Run"), answered)
        else:
            answered({})

    async def _run(self, command: UserCommand, fields: Mapping[str, str], answers: Mapping[str, str]) -> None:
        title = command.title or command.name
        deed = ""
        try:
            program = words(command, fields, answers)
            deed = self._session.begin(title, shlex.join(program))
            if command.terminal:
                with self._app.suspend():
                    code, output = commands.run_in_terminal(program), ""
            else:
                code, output = await commands.run_program(program)
        except (ValueError, OSError, SuspendNotSupported) as error:
            if deed:
                self._session.end(deed, Outcome.FAILED, text.clean(str(error)))
            self._refuse(error)
            return
        self._session.end(deed, Outcome.FAILED if code else Outcome.DONE, f"exit code {code}" if code else "")
        if output:
            self._app.push_screen(Notice(f"{title}: exit code {code}" if code else title, output))
