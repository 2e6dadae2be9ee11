"""``moby tui``: the dashboard's application. It holds the session and its pages together and does nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.events import Event, InputEvent, Key
from textual.screen import Screen
from textual.widgets import Input

from moby_tui.errors import InvalidArgument
from moby_tui.schema.event import Event as EngineEvent
from moby_tui.screens import preferences
from moby_tui.screens.containers import ContainersPage
from moby_tui.screens.events import EventsPage
from moby_tui.screens.help import Help
from moby_tui.screens.images import ImagesPage
from moby_tui.screens.networks import NetworksPage
from moby_tui.screens.page import PAGES, Page
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.session.model import Container
from moby_tui.screens.session.session import ClientFactory, Session
from moby_tui.screens.session.stats_feed import StatsFeed
from moby_tui.screens.shells import ShellsPage
from moby_tui.screens.theme import DARK, LIGHT
from moby_tui.screens.tty_driver import TtyDriver
from moby_tui.screens.volumes import VolumesPage
from moby_tui.screens.widgets.status_bar import PageTab
from moby_tui.screens.widgets.terminal import Terminal


class Dashboard(App[None]):
    """``factory`` makes a client; it is called again after the engine was lost."""

    TITLE = "moby"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        *(
            Binding(str(number), f"page('{mode}')", title, id=f"page.{mode}", show=False)
            for number, (mode, title) in enumerate(PAGES.items(), 1)
        ),
        Binding("question_mark,f1", "help", "Help", id="app.help", key_display="?"),
        Binding("colon,ctrl+p", "command_palette", "Commands", id="app.commands", show=False),
        Binding("q,ctrl+q", "quit", "Quit", id="app.quit", key_display="q"),
    ]

    def __init__(self, factory: ClientFactory, chosen: Preferences | None = None) -> None:
        super().__init__(driver_class=TtyDriver)
        self._chosen = chosen or Preferences()
        #: Keys that wait for the shell that is being opened.
        self._for_shell: list[Key] = []
        self.session = Session(self, factory)
        self.stats = StatsFeed(self, self.session)
        self._containers = ContainersPage(self.session, self.stats)
        self._pages: dict[str, Screen[Any]] = {
            "containers": self._containers,
            "images": ImagesPage(self.session),
            "volumes": VolumesPage(self.session),
            "networks": NetworksPage(self.session),
            "events": EventsPage(self.session),
            "shells": ShellsPage(self.session),
        }

    async def on_mount(self) -> None:
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = self._chosen.theme if self._chosen.theme in self.available_themes else DARK.name
        self.set_keymap(self._chosen.keymap)
        for mode, page in self._pages.items():
            self.add_mode(mode, lambda page=page: page)  # type: ignore[misc]
        await self.switch_mode("containers")
        self.session.event_received.subscribe(self, self._event)
        self._hold_session()

    @work
    async def _hold_session(self) -> None:
        await self.session.run()

    def _event(self, event: EngineEvent) -> None:
        page = self._pages["events"]
        assert isinstance(page, EventsPage)
        page.take(event)

    async def on_event(self, event: Event) -> None:
        """What is typed after the key that ends the program does nothing; what is typed while a shell opens waits for it."""
        if isinstance(event, InputEvent) and not event.is_forwarded:
            if self._exit:
                return
            if self._containers.opens_shell and isinstance(event, Key):
                self._for_shell.append(event)
                return
        await super().on_event(event)

    def _handle_exception(self, error: Exception) -> None:
        """A page that was just being opened when the person left may fail; they have left in order all the same."""
        if self._exit and self._exception is None:
            self.log.error(f"while it ended: {error!r}")
            return
        super()._handle_exception(error)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A shell gets every key: none of the application's may take one from it. A line of text gets its digits."""
        if action == "page":
            return isinstance(self.screen, Page) and not isinstance(self.focused, (Terminal, Input))
        return not (isinstance(self.focused, Terminal) and action in ("quit", "command_palette", "help"))

    def action_page(self, mode: str) -> None:
        """Goes to a page. Not awaited: its widgets may themselves wait for the application, as at a resize."""
        self.switch_mode(mode)

    def action_help(self) -> None:
        self.push_screen(Help(self.screen))

    def on_page_tab_picked(self, event: PageTab.Picked) -> None:
        self.action_page(event.mode)

    def on_containers_page_shell_wanted(self, event: ContainersPage.ShellWanted) -> None:
        self._open_shell(event.container)

    @work
    async def _open_shell(self, container: Container) -> None:
        await self.switch_mode("shells")
        page = self._pages["shells"]
        assert isinstance(page, ShellsPage)
        terminal = await page.open(container)
        self._containers.opens_shell = False
        for key in self._for_shell:
            terminal.on_key(key)
        self._for_shell.clear()

    def on_shells_page_left(self) -> None:
        self.action_page("containers")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The keys of the page as commands, then the pages, then Textual's own."""
        yield from super().get_system_commands(screen)
        for mode, title in PAGES.items():
            yield SystemCommand(f"Go to {title.lower()}", f"The page of the {title.lower()}", partial(self.action_page, mode))
        offered: set[str] = set()  # a binding of several keys stands there once for each
        for active in screen.active_bindings.values():
            binding = active.binding
            if not binding.id or binding.id in offered or binding.id.startswith(("app.", "page.")):
                continue
            if active.enabled and binding.description:
                offered.add(binding.id)
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(binding.description, binding.tooltip or f"Key {binding.key}", run)


def run(connect: ClientFactory) -> int:
    """Runs the dashboard until the person leaves it. ``connect`` makes a client of the engine that the global options name.

    The exit code: 0 if the person left it, 1 after a fault of the dashboard, else 128 and the signal that ended it.
    """
    connect()  # a host that is none is told before the screen is taken
    try:
        chosen = preferences.load()
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    dashboard = Dashboard(connect, chosen)
    dashboard.run()
    if dashboard.theme != (chosen.theme or DARK.name):
        preferences.save(msgspec.structs.replace(chosen, theme=dashboard.theme))
    return dashboard.return_code or 0
