"""``moby tui``: the dashboard's application. It holds the session and its pages together and does nothing else."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.events import Event, InputEvent, Key
from textual.filter import Monochrome
from textual.markup import escape
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import WorkerFailed

from moby_tui.screens import preferences
from moby_tui.screens.actions.action import bindings
from moby_tui.screens.actions.application import APPLICATION
from moby_tui.screens.actions.places import Place, Places
from moby_tui.screens.actions.searches import Searches
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.guard import Guard
from moby_tui.screens.key_order import KeyOrder
from moby_tui.screens.listing.arrangement import BROAD, HIGH, WIDE
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.registry import PAGES, Entry, tabs
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.problems.watch import ProblemWatch
from moby_tui.screens.reading import place
from moby_tui.screens.session.engines import Engines, OneEngine
from moby_tui.screens.session.session import TROUBLE, ClientFactory, Connection, Session
from moby_tui.screens.session.stats_feed import StatsFeed
from moby_tui.screens.session.unfinished import Unfinished, left_over
from moby_tui.screens.stylesheet import KeptStylesheet
from moby_tui.screens.text import clean, clean_lines
from moby_tui.screens.theme import CONTRAST, DARK, DARK_ANSI, LIGHT, LIGHT_ANSI, WITHOUT_COLOUR, Colourless
from moby_tui.screens.tty_driver import TtyDriver
from moby_tui.screens.widgets.all_keys import AllKeys

if TYPE_CHECKING:
    from moby_tui.screens.commander import Commander

#: One file for each page or widget that has a look of its own; what all share is in base.tcss.
STYLES: list[str | PurePath] = sorted((Path(__file__).parent / "styles").glob("*.tcss"))
#: Those of what is in the first picture. The others are parsed after it.
FIRST_STYLES = [path for path in STYLES if PurePath(path).stem in ("base", "containers", "lines_view", "log_stream", "plot")]

#: What a shell's keys must not do.
_OF_THE_APPLICATION = {action.method for action in APPLICATION}
#: An engine that answers sooner has its rows in the first picture; seconds.
LONGEST_HOLD = 0.25
#: What starts with the dashboard has been done by then; seconds.
SETTLED = 3.0
#: Removals that wait when the person leaves have this long; seconds.
LAST_REMOVALS = 20.0


class Dashboard(App[None]):
    """``factory`` makes a client; it is called again after the engine was lost."""

    TITLE = "moby"
    CSS_PATH = FIRST_STYLES
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide"), (BROAD, "-broad")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (HIGH, "-high")]  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        *(
            Binding(page.key, f"page('{page.mode}')", page.title, id=f"page.{page.mode}", show=False)
            for page in PAGES
            if page.key
        ),
        *bindings(APPLICATION),
    ]

    def __init__(
        self,
        factory: ClientFactory,
        chosen: Preferences | None = None,
        *,
        keeps: bool = False,
        read_only: bool = False,
        engines: Engines | None = None,
        command_line: CommandLine | None = None,
        first: Sequence[str] = (),
        driver: type[Driver] = TtyDriver,
    ) -> None:
        """``keeps``: what the person chooses is written to their preferences. ``read_only``: nothing in the engine is changed.

        ``engines`` are those to which one can change; ``command_line`` is what the dashboard has of one. ``first`` is a page's mode,
        and the words with which it is opened. ``driver`` draws it.
        """
        super().__init__(driver_class=driver)
        self._filters = [Guard(), *(Colourless() if isinstance(one, Monochrome) else one for one in self._filters)]
        self._chosen = chosen or Preferences()
        self.stylesheet = KeptStylesheet()
        self._begin_with_theme()
        self._keeps = keeps
        self._engines = engines or OneEngine(factory)
        #: Keys that wait for the page that is being opened; None while none is.
        self._held: list[Key] | None = None
        self._keys = KeyOrder(lambda: self.call_later(self._hand_keys_on))
        self._unfinished = Unfinished(preferences.removals_folder()) if keeps else None
        self.session = Session(self, factory, read_only=read_only or self._chosen.read_only, unfinished=self._unfinished)
        self.stats = StatsFeed(self, self.session)
        self.problems = ProblemWatch(self, self.session, asks_registries=self._chosen.asks_registries)
        self.workspace = Workspace(
            self.session,
            self.stats,
            self._chosen,
            tabs,
            self,
            self.problems,
            command_line or CommandLine(),
            Searches(self._chosen.searches, self._keep_searches),
        )
        self._first = first
        #: The page is drawn without rows after so many seconds.
        self.longest_hold = LONGEST_HOLD
        #: Nothing is drawn while it is true.
        self.holds_screen = False
        #: Called once, when what starts with the dashboard has been done.
        self.settle: Callable[[], None] | None = None
        self._pages: dict[str, Page] = {}
        self._places = Places()
        for command in self._chosen.commands:
            if command.key:
                self.bind(command.key, f"own_command({command.name!r})", description=command.title or command.name, show=False)

    def _begin_with_theme(self) -> None:
        """Sets the theme before any widget is there: later all would be styled a second time."""
        self.ansi_theme_dark, self.ansi_theme_light = DARK_ANSI, LIGHT_ANSI
        for theme in (DARK, LIGHT, CONTRAST):
            self.register_theme(theme)
        chosen = WITHOUT_COLOUR if self.no_color else self._chosen.theme
        self.theme = chosen if chosen in self.available_themes else DARK.name
        self.stylesheet.set_variables(self.get_css_variables())

    async def on_mount(self) -> None:
        self.set_keymap(self._chosen.keymap)
        if self._chosen.keymap or self._chosen.commands or self._chosen.alerts:
            self._check_choices()
        for page in PAGES:
            self.add_mode(page.mode, partial(self._make, page))
        self._hold_screen()
        await self.switch_mode(self._first[0] if self._first else PAGES[0].mode)
        if self._chosen.alerts and self._driver is not None:
            # few have any
            from moby_tui.screens.problems.alarm import Alarm

            self._alarm = Alarm(self, self.session, self.problems, self._chosen.alerts, self._driver)
        self.session.connection_changed.subscribe(self, self._first_connected)
        if self.settle:
            self.set_timer(SETTLED, self.settle)
        self._hold_session()
        self._hold_removals()

    def _hold_screen(self) -> None:
        """Draws nothing until the first rows are there, or for so long: a page without rows would be seen for the twinkling of an eye."""
        self._begin_batch()
        self.holds_screen = True
        self.set_timer(self.longest_hold, self._release_screen)

    def _release_screen(self) -> None:
        if self.holds_screen:
            self.holds_screen = False
            self._end_batch()
            self.screen.refresh()
            self.call_after_refresh(self._read_styles)

    def _read_styles(self) -> None:
        """Reads the styles that the first picture did without. They are of widgets that were not there yet: none is styled anew."""
        for path in STYLES:
            if not self.stylesheet.has_source(str(path)):
                self.stylesheet.read(path)

    def _first_connected(self, connection: Connection) -> None:
        """Tells what is left over from before, and opens the page that the caller named, once the rows are there."""
        self.call_later(self._release_screen)
        if connection.up:
            self.session.connection_changed.unsubscribe(self)
            self.call_after_refresh(self._begin_to_watch)
            if self._keeps:
                self._tell_left_over()
            if self._first:
                self.go(*self._first)

    def _tell_left_over(self) -> None:
        """Tells once which removals a dashboard that was ended has left undone."""
        for path, waiting in left_over(preferences.removals_folder(), time.time()):
            if names := self.session.give_up(waiting.containers):
                path.unlink(missing_ok=True)
                message = f"{', '.join(names)}: kept, since the dashboard ended before their minute was over; d removes them"
                self.notify(message, title="Not removed", severity="warning", timeout=20, markup=False)

    def on_unmount(self) -> None:
        if self._unfinished:
            self._unfinished.close()

    def _check_choices(self) -> None:
        """Tells what is wrong with the person's keys and commands. The rest of them holds."""
        from moby_tui.screens.actions import alert_rules
        from moby_tui.screens.pages import keys

        path = str(preferences.preferences_path())
        mistakes = [
            *keys.check_keymap(self._chosen.keymap),
            *keys.check_commands(self._chosen.commands, self._chosen.keymap),
            *alert_rules.check(self._chosen.alerts),
            *self._check_expressions(),
        ]
        for line in mistakes:
            self.notify(line, title=path, severity="warning", timeout=15, markup=False)

    def _check_expressions(self) -> list[str]:
        if not any(rule.match for rule in self._chosen.alerts):
            return []
        from moby_tui.screens.problems import log_watch

        return log_watch.check(self._chosen.alerts)

    def _make(self, entry: Entry) -> Page:
        """Makes a page, when it is first visited."""
        if entry is not PAGES[0]:
            self._read_styles()
        page = self._pages[entry.mode] = entry.make(self.workspace)
        page.fit_to(self.size)
        return page

    def push_screen(self, *arguments: Any, **options: Any) -> Any:
        """As Textual's, for dialogs: their styles are read before."""
        self._read_styles()
        return super().push_screen(*arguments, **options)

    @work
    async def _hold_session(self) -> None:
        await self.session.run()

    @work
    async def _hold_removals(self) -> None:
        await self.session.hold_removals()

    def _begin_to_watch(self) -> None:
        """Looks for problems once the rows are on the screen; the dashboard may have ended by then."""
        if self.is_running:
            self._watch_for_problems()

    @work
    async def _watch_for_problems(self) -> None:
        await self.problems.run()

    async def on_event(self, event: Event) -> None:
        """What is typed after the key that ends the program does nothing; what is typed while a shell opens waits for it."""
        if isinstance(event, InputEvent) and not event.is_forwarded:
            if self._exit:
                return
            if isinstance(event, Key):
                self._keys.take(event)
                await self._hand_keys_on()
                return
        await super().on_event(event)
        if isinstance(event, Key):
            self._keys.done(event)  # no widget has taken it, and the bindings have had it

    async def _hand_keys_on(self) -> None:
        if self._held is not None:
            self._held += self._keys.take_waiting()
        if self._keys.busy and not self.screen.is_mounted:
            self.screen.call_later(self.call_later, self._hand_keys_on)  # a dialog gets no key before it stands
            return
        while not self._exit and (key := self._keys.next()):
            key.path = (self.focused or self.screen).ancestors_with_self
            await super().on_event(key)
            if not key.is_forwarded:
                self._keys.done(key)

    def _handle_exception(self, error: Exception) -> None:
        """A page that was just being opened when the person left may fail; they have left in order all the same."""
        if self._exit and self._exception is None:
            self.log.error(f"while it ended: {error!r}")
            return
        if isinstance(error, WorkerFailed) and isinstance(error.error, TROUBLE):
            # the engine was lost or has refused, where no part of a page shows that: what was asked for is not done, the rest goes on
            self.notify(clean(str(error.error)), severity="error", timeout=10, markup=False)
            return
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Ends the dashboard after a fault of its own, and says where that was. Textual would also print the variables there: what
        they hold may be a container's secret.
        """
        lines = clean_lines("".join(traceback.format_exception(self._exception or sys.exception())))
        self._exit_renderables.append(Text(f"{lines}moby tui: a fault of the dashboard ended it; containers run on"))
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Prints the first fault; others follow from it."""
        for renderable in self._exit_renderables[:1]:
            self.error_console.print(renderable, soft_wrap=True)
        self._exit_renderables.clear()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A shell gets every key: none of the application's may take one from it. A line of text gets its digits."""
        if action == "page":
            return isinstance(self.screen, Page) and not isinstance(self.focused, (AllKeys, Input))
        if action == "own_command":
            return isinstance(self.screen, Page) and not isinstance(self.focused, (AllKeys, Input))
        return not (isinstance(self.focused, AllKeys) and action in _OF_THE_APPLICATION)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Textual moves the terminal's cursor with each picture: to the row that keys act on, for screen readers."""
        if (here := place(self.focused)) is not None:
            self.cursor_position = here
        super()._display(screen, renderable)

    def copy_to_clipboard(self, text: str) -> None:
        """By OSC 52. What is copied came from a container, and goes where a person pastes it."""
        super().copy_to_clipboard(clean_lines(text))

    async def action_quit(self) -> None:
        """Removals that wait were confirmed: they are carried out first."""
        if self.session.removals:
            self.notify("removing what waits for it …", timeout=30)
            try:
                async with asyncio.timeout(LAST_REMOVALS):
                    await self.session.remove_now()
            except TimeoutError:
                self.log.warning("the engine did not remove in time")
        self.exit()

    def remember(self, change: Callable[[Preferences], None]) -> None:
        change(self._chosen)
        if self._keeps:
            preferences.change(change)

    def _keep_searches(self, kind: str, texts: Sequence[str]) -> None:
        self.remember(lambda chosen: chosen.searches.__setitem__(kind, list(texts)))

    # The way from page to page

    @property
    def holds_keys(self) -> bool:
        return self._held is not None

    def go(self, mode: str, *words: str, hold_keys: bool = False) -> None:
        """Goes to a page and gives it the words. Not awaited: its widgets may themselves wait for the application, as at a resize."""
        if hold_keys:
            self.hold_keys()
        self._places.leave(self._here())
        if words or hold_keys:
            self._arrive(mode, words)
        else:
            self.switch_mode(mode)

    def open_line(self, dialog: Screen[Any], answered: Callable[[Any], None]) -> None:
        """Opens a dialog whose line gets what is typed from now on, before it stands too."""
        self.hold_keys()
        self.run_worker(self._stand_line(dialog, answered))

    async def _stand_line(self, dialog: Screen[Any], answered: Callable[[Any], None]) -> None:
        try:
            await self.push_screen(dialog, answered)
        finally:
            self.release_keys()

    @work
    async def _arrive(self, mode: str, words: Sequence[str]) -> None:
        try:
            await self.switch_mode(mode)
            if words:
                await self._pages[mode].arrive(words)
        finally:
            self.release_keys()

    def hold_keys(self, *first: Key) -> None:
        """What is typed from now on waits until ``release_keys``; before it those keys that a widget got too late."""
        self._held = [*first, *(self._held or ())]

    def release_keys(self) -> None:
        """What waits goes to the widget that has the focus once what was asked of widgets before is done."""
        self.call_later(self._release_keys)  # behind what gives the focus to the page's widget

    def _release_keys(self) -> None:
        held, self._held = self._held or [], None
        self._keys.put_back(held)  # one after the other: the line may have its end among them
        self.call_later(self._hand_keys_on)

    def _here(self) -> Place:
        page = self._pages.get(self.current_mode)
        return Place(self.current_mode, page.row() if page and page.is_mounted else "")

    def action_place(self, step: int) -> None:
        """Back (-1) or forward (1) through where one was."""
        if place := self._places.move(self._here(), step):
            self._return_to(place)

    @work
    async def _return_to(self, place: Place) -> None:
        await self.switch_mode(place.mode)
        self._pages[place.mode].return_to(place.row)

    def action_page(self, mode: str) -> None:
        if mode != self.current_mode:
            self.go(mode)

    # Commands

    @property
    def page(self) -> Page:
        return self._pages[self.current_mode]

    async def visit(self, mode: str) -> Page:
        if mode != self.current_mode:
            self._places.leave(self._here())
            await self.switch_mode(mode)
        return self.page

    @cached_property
    def commander(self) -> Commander:
        """Imported when it is first wanted: the first page does without."""
        from moby_tui.screens.commander import Commander

        return Commander(self, self, self.workspace, self._engines, keeps=self._keeps)

    def action_prompt(self) -> None:
        self.commander.ask()

    def action_help(self) -> None:
        self.commander.show_help()

    def act(self, mode: str, action: str) -> None:
        self.commander.act(mode, action, ())

    def action_jump(self) -> None:
        self.commander.jump()

    def action_change_theme(self) -> None:
        self.commander.choose_theme()

    def action_own_command(self, name: str) -> None:
        """A command of the person's own, by its key."""
        if command := next((one for one in self._chosen.commands if one.name == name and one.page == self.current_mode), None):
            self.commander.own(command)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The keys of the page as commands, then the pages, then Textual's own."""
        yield from super().get_system_commands(screen)
        for page in PAGES:
            yield SystemCommand(f"Go to {page.title.lower()}", page.about, partial(self.go, page.mode))
        for command in self._chosen.commands:
            if command.page == self.current_mode:
                title = escape(command.title or command.name)
                yield SystemCommand(title, escape(command.run), partial(self.commander.own, command))
        yield SystemCommand("Jump", "Put a letter on each part and row that is seen", self.action_jump)
        offered: set[str] = set()  # a binding of several keys stands there once for each
        for active in screen.active_bindings.values():
            binding = active.binding
            if not binding.id or binding.id in offered or binding.id.startswith(("app.", "page.")):
                continue
            if active.enabled and binding.description:
                offered.add(binding.id)
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(binding.description, binding.tooltip or f"Key {binding.key}", run)
