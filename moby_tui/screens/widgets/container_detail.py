"""All that the dashboard shows of one container: its log, plots, processes and settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import AwaitMount, Widget
from textual.widgets import TabbedContent, TabPane

from moby_tui.schema.base import to_builtins
from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE, Session
from moby_tui.screens.session.stats_feed import StatsFeed
from moby_tui.screens.widgets.log_panel import LogPanel
from moby_tui.screens.widgets.stats_panel import StatsPanel

if TYPE_CHECKING:
    from moby_tui.screens.usage.probes import Probes

#: The processes, or the health probes, are asked for again this often while they are seen; seconds.
ASK_EVERY = 2.0


class ContainerDetail(Horizontal):
    """Tabs, and beside them, where there is room, the plots. What is asked of the engine is what the tab in front shows."""

    def __init__(self, session: Session, stats: StatsFeed, *, id: str) -> None:
        super().__init__(id=id)
        self._session = session
        self._stats = stats
        self._of = ""
        self._told = ""
        self._probes: Probes | None = None
        self._probes_of = ""
        self._plots = StatsPanel(full=True, id="use-plots"), StatsPanel(full=False, id="side-plots")

    def compose(self) -> ComposeResult:
        with TabbedContent(initial="logs"):
            with TabPane("Logs", id="logs"):
                yield LogPanel(self._session, id="log-panel")
            # filled when they are first turned to
            yield TabPane("Use", id="use")
            yield TabPane("Processes", id="processes")
            yield TabPane("Inspect", id="inspect")
        yield self._plots[1]

    def _content(self, name: str) -> Widget:
        """What a tab shows."""
        if name == "use":
            return self._plots[0]
        if name == "processes":
            from moby_tui.screens.widgets.process_table import ProcessTable

            return ProcessTable(id="process-table")
        from moby_tui.screens.widgets.inspect_view import InspectView

        return InspectView(id="inspect-tree")

    def _fill(self, name: str, then: Callable[[], object]) -> None:
        """Makes what a tab shows, when it is first turned to, and calls ``then`` once it is on the screen."""
        pane = self.query_one(TabbedContent).get_pane(name)
        if pane.children:
            self.call_after_refresh(then)
        else:
            self._await(pane.mount(self._content(name)), then)

    @work(group="fill")
    async def _await(self, mounted: AwaitMount, then: Callable[[], object]) -> None:
        await mounted
        self._ask()
        self.call_after_refresh(self.show_use)
        self.call_after_refresh(then)

    def on_mount(self) -> None:
        self.set_interval(ASK_EVERY, self._ask)

    @property
    def active(self) -> str:
        return self.query_one(TabbedContent).active

    @property
    def _container(self) -> Container | None:
        return self._session.model.get(self._of)

    # What is shown

    def show(self, container: Container | None, *, again: bool = False) -> None:
        """Turns to a container, or to none; ``again``: to the same, of which something has changed."""
        self._of = container.id if container else ""
        self.border_title = Content(container.name) if container else "nothing selected"
        self.show_age()
        self.query_one(LogPanel).show(self._of)
        if container is None:
            self._empty_inspect()
        if not again or (container and not container.running):
            self.show_use()
        self._inspect(self._of)
        self._ask()

    def _empty_inspect(self) -> None:
        if self.query("InspectView"):
            from moby_tui.screens.widgets.inspect_view import InspectView

            self.query_one(InspectView).show({})

    def show_age(self) -> None:
        """The line below: image, state and its age."""
        one = self._container
        description = f"{one.image} · {one.describe(time.time())}" if one else ""
        if description != self._told:  # Textual draws all that is within the border anew
            self._told = description
            self.border_subtitle = Content(description)

    def show_use(self) -> None:
        """The plots, or why there are no figures."""
        one, history, missing = self._container, None, ""
        if one is not None and one.running:
            history, missing = self._stats.histories.get(one.id), "waiting for figures"
        elif one is not None:
            missing = f"no figures: it is {one.describe_state()}"
        for panel in self._plots:
            if panel.size.width:
                panel.show(history, missing)

    def turn_to(self, name: str) -> None:
        self._fill(name, self.focus_content)
        self.query_one(TabbedContent).active = name

    def focus_content(self) -> None:
        """Gives the keys to what the active tab shows."""
        pane = self.query_one(TabbedContent).active_pane
        for widget in pane.query("LogStream, ProcessTable, InspectView, Plot") if pane else ():
            widget.focus()
            return

    @on(TabbedContent.TabActivated)
    def _turned(self) -> None:
        self.set_class(self.active == "use", "-use")
        self._fill(self.active, self.show_use)
        self._inspect(self._of)
        self._ask()

    # What is asked of the engine

    def _ask(self) -> None:
        """Asks for what changes without an event, if it is seen."""
        if not self.screen.is_current:
            return
        if self.active == "processes":
            self._top(self._of)
        elif self.active == "use":
            self._probe(self._of)

    @work(group="inspect", exclusive=True)
    async def _inspect(self, identifier: str) -> None:
        """Fetches all there is to know of the container, if that is what is seen."""
        if not identifier or self.active != "inspect":
            return
        from moby_tui.screens.widgets.inspect_view import InspectView

        view = self.query_one(InspectView)
        try:
            container = await self._session.client.containers.inspect(identifier)
        except TROUBLE as error:
            view.show({"error": text.clean(str(error))})
            return
        if identifier == self._of:
            view.show(to_builtins(container))

    @work(group="probe", exclusive=True)
    async def _probe(self, identifier: str) -> None:
        """Asks how long the health probes took; the answer has only the last few."""
        from moby_tui.screens.usage.probes import Probes

        if self._probes is None or identifier != self._probes_of:
            self._probes, self._probes_of = Probes(), identifier
        probes = self._probes
        if identifier in self._session.model:
            try:
                probes.add((await self._session.client.containers.inspect(identifier)).state.health)
            except TROUBLE as error:
                self.log.debug(f"no probes of {identifier[:12]}: {error}")
                return
        if identifier == self._of and self._plots[0].is_mounted:
            self._plots[0].show_probes(probes)

    @work(group="top", exclusive=True)
    async def _top(self, identifier: str) -> None:
        from moby_tui.screens.widgets.process_table import ProcessTable

        table, container = self.query_one(ProcessTable), self._container
        if container is None or not container.running:
            table.empty()
            return
        try:
            top = await self._session.client.containers.top(identifier)
        except TROUBLE as error:
            self.log.debug(f"no processes of {identifier[:12]}: {error}")
            return
        if identifier == self._of:
            table.show(top)
