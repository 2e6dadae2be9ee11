"""The page of the containers: the list above, and of the one under the cursor its log, plots, processes and all its settings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from textual import on, work
from textual.containers import Vertical
from textual.widget import Widget

from moby_tui.screens.listing.containers import HEADING
from moby_tui.screens.pages.actions.containers import CONTAINER_ACTIONS
from moby_tui.screens.pages.list_page import ListPage
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.shared.offering import OffersPage
from moby_tui.screens.pages.shared.wiring import WiringPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.container_detail import ContainerDetail
from moby_tui.screens.widgets.container_table import ContainerTable
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.lines.offers_view import OffersView
from moby_tui.screens.widgets.log_panel import LogPanel

#: A container that is to be removed is kept this long; seconds.
KEPT = 60.0


class ContainersPage(ListPage[Container], OffersPage, WiringPage):
    """The keys act on the marked containers, else on the one under the cursor."""

    mode = "containers"
    noun = "container"
    heading = HEADING
    ACTIONS = CONTAINER_ACTIONS

    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        from moby_tui.screens.widgets.inspect_view import InspectView
        from moby_tui.screens.widgets.lines.searched_log import SearchedLog
        from moby_tui.screens.widgets.log_stream import LogStream

        return ContainerTable, OffersView, LogStream, SearchedLog, InspectView

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._stats = workspace.stats
        self._touched: set[str] = set()
        self._query = ""
        self._detail_of = ""

    def content(self) -> Iterable[Widget]:
        bar = FilterBar("filter", "words · !not", id="container-filter", kind="lists")
        yield Vertical(ContainerTable(id="containers"), OffersView(id="offers"), bar, id="list")
        yield ContainerDetail(self.session, self._stats, id="detail")

    def on_mount(self) -> None:
        self.session.containers_changed.subscribe(self, self._changed)
        self._stats.sampled.subscribe(self, self._sampled, immediate=True)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())
        self.set_interval(1.0, self._tick)
        self.query_one("#list").border_title = self.heading
        self.query_one(ContainerTable).fit()
        self.use_preferences()
        self.query_one(ContainerTable).focus()
        self.draw()

    # The list

    def _changed(self, touched: frozenset[str]) -> None:
        self._touched |= touched or {one.id for one in self.session.model.rows()}
        if not self.is_hidden:
            self.draw_soon()

    def on_screen_resume(self) -> None:
        """Draws what has changed while another page was in front."""
        if self._touched and self.is_mounted:
            self.draw()
        for log in self.query(LogPanel):
            log.catch_up()

    def draw(self) -> None:
        touched, self._touched = frozenset(self._touched), set()
        rows = self.session.model.sorted(self._query)
        table = self.query_one(ContainerTable)
        if not table.columns:
            table.fit()
        table.say("no row has these words" if self._query else "")
        table.show(rows, touched, self._stats.histories, time.time())
        table.fit()
        panel = self.query_one("#list")
        total = len(self.session.model)
        none = "none yet · moby run IMAGE" if self.session.connection.up else ""
        panel.border_subtitle = f"{len(rows)} of {total}" if self._query else f"{total}" if total else none
        self.query_one(FilterBar).count(f"{len(rows)} of {total}")
        self.offer(ContainerTable, empty=not total)
        if self._detail_of in touched:
            self._show_detail(self._detail_of, again=True)
        if self.workspace.guide.holds_screen:
            self.app.call_after_refresh(self._want)  # the first picture comes first
        else:
            self._want()

    def _restyle(self) -> None:
        self.query_one(ContainerTable).restyle()
        self.draw()

    def _tick(self) -> None:
        if self.is_current:
            table = self.query_one(ContainerTable)
            rows = (self.session.model.get(identifier) for identifier in table.seen())
            table.show_time([row for row in rows if row], time.time())
            table.order_again()
            self.query_one(ContainerDetail).show_age()

    def _want(self) -> None:
        """Samples what is seen and runs."""
        table = self.query_one(ContainerTable)
        seen = (self.session.model.get(identifier) for identifier in (table.chosen, *table.seen()))
        self._stats.want(row.id for row in seen if row and row.running)

    def _sampled(self, identifier: str) -> None:
        """The plots are drawn at once, the list with the next second."""
        if self.is_current and identifier == self._detail_of:
            self.query_one(ContainerDetail).show_use()

    @on(ContainerTable.Scrolled)
    def _list_scrolled(self) -> None:
        self._want()

    @on(ContainerTable.Chosen)
    def _chosen(self, event: ContainerTable.Chosen) -> None:
        event.stop()
        self._show_detail(event.identifier)
        self._want()
        self.refresh_bindings()

    @on(FilterBar.Changed, "#container-filter")
    def _filtered(self, event: FilterBar.Changed) -> None:
        self._query = event.value
        self.draw()

    @on(FilterBar.Left, "#container-filter")
    def _filter_left(self) -> None:
        self.query_one(ContainerTable).focus()

    # The details

    def _show_detail(self, identifier: str, *, again: bool = False) -> None:
        self._detail_of = identifier
        self.query_one(ContainerDetail).show(self.chosen, again=again)
        self.refresh_bindings()

    # Actions

    @property
    def chosen(self) -> Container | None:
        return self.session.model.get(self._detail_of)

    def find(self, identifier: str) -> Container | None:
        return self.session.model.get(identifier)

    def matches(self, row: Container, query: str) -> bool:
        return row.matches(query)

    def every(self) -> Iterable[Container]:
        return self.session.model.rows()

    async def arrive(self, words: Sequence[str]) -> None:
        """Puts the cursor on the container whose name or id is the only word; other words become the filter."""
        row = (
            next((one for one in self.session.model.rows() if words[0] in (one.name, one.id)), None) if len(words) == 1 else None
        )
        if row:
            if not row.matches(self._query):
                self.query_one("#container-filter", FilterBar).drop()
                self._query = ""
            self.draw()  # the row may be newer than the drawing
            self.table().go_to(row.id)
        else:
            self.query_one("#container-filter", FilterBar).fill(" ".join(words))

    def action_start(self) -> None:
        self.perform("container.start", lambda one: self.session.client.containers.start(one.id), done="started")

    def action_stop(self) -> None:
        self.perform(
            "container.stop",
            lambda one: self.session.client.containers.stop(one.id),
            done="stopped",
            question=Question(
                "Stop {rows}?",
                "It gets its stop signal, and SIGKILL if it still runs after its stop timeout.",
            ),
        )

    def action_restart(self) -> None:
        self.perform(
            "container.restart",
            lambda one: self.session.client.containers.restart(one.id),
            done="restarted",
            question=Question(
                "Restart {rows}?",
                "It is stopped, by SIGKILL after its stop timeout, and started again.",
            ),
        )

    def action_pause(self) -> None:
        self.perform("container.pause", lambda one: self.session.client.containers.pause(one.id), done="paused")

    def action_unpause(self) -> None:
        self.perform("container.unpause", lambda one: self.session.client.containers.unpause(one.id), done="runs on")

    def action_kill(self) -> None:
        self.perform(
            "container.kill",
            lambda one: self.session.client.containers.kill(one.id),
            done="killed",
            question=Question(
                "Kill {rows}?",
                "Its processes get SIGKILL: they cannot save what they hold in memory.",
            ),
        )

    def action_remove(self) -> None:
        """Asks, kills and removes later. What waits for its removal already goes at once."""
        rows = self.targets()
        if all(one.goes_at for one in rows):
            self.perform("container.remove", self._remove, done="removed")
            return
        running = "What runs of it is killed now. " if any(one.running for one in rows) else ""
        self.ask(
            "container.remove",
            Question(
                "Remove {rows}?",
                f"{running}It is removed in a minute; until then u takes that back. What it wrote outside volumes is lost "
                "then, its log too. Volumes stay.",
                sizes=self._sizes,
            ),
            lambda: self._remove_later(rows),
        )

    async def _remove(self, one: Container) -> None:
        await self.session.client.containers.remove(one.id, force=True)

    def _remove_later(self, rows: Sequence[Container]) -> None:
        if any(one.running for one in rows):
            self._kill(rows)
        command = self.action("container.remove").command_line(one.name for one in rows)
        deed = self.session.begin("Remove", command)
        self.session.remove_later([one.id for one in rows], deed, KEPT)
        self.acted()
        what = rows[0].name if len(rows) == 1 else f"{len(rows)} containers"
        self.notify(f"{what} goes in {KEPT:.0f} s · u takes it back · d again: at once", timeout=6, markup=False)
        self.refresh_bindings()

    @work(group="actions")
    async def _kill(self, rows: Sequence[Container]) -> None:
        """Ends what runs. A container that ended by itself meanwhile is as it should be, and what cannot be killed tells its removal."""
        for one in rows:
            if one.running:
                try:
                    await self.session.client.containers.kill(one.id)
                except TROUBLE as error:
                    self.log.debug(f"{one.name} was not killed: {error}")

    async def _sizes(self) -> Mapping[str, int]:
        """What each container has written."""
        usage = await self.session.client.system.disk_usage()
        return {one.id: -1 if one.size_rw is None else one.size_rw for one in usage.containers}

    def action_undo(self) -> None:
        removal = self.session.take_back()
        if removal:
            names = [one.name for identifier in removal.containers if (one := self.session.model.get(identifier))]
            self.notify(f"kept: {', '.join(names)}", timeout=4, markup=False)
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo":
            return bool(self.session.removals)
        return super().check_action(action, parameters)

    def action_files(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("files", "container", one.id)

    def action_shell(self) -> None:
        one = self.chosen
        if one is None:
            return
        if one.state == "running":
            self.workspace.guide.go("shells", one.id, hold_keys=True)
        else:
            from moby_tui.screens.dialogs.confirm import Notice

            wanted = "thaw it (p)" if one.state == "paused" else "start it (s)"
            self.app.push_screen(Notice(f"No shell in {one.name}", f"The container is {one.state}: {wanted} first."))

    def action_exec(self) -> None:
        self._to_terminal("exec")

    def action_attach(self) -> None:
        self._to_terminal("attach")

    def action_debug(self) -> None:
        self._to_terminal("debug")

    def _to_terminal(self, verb: str) -> None:
        if one := self.chosen:
            self.workspace.guide.go("shells", verb, one.id, hold_keys=True)

    def action_new(self) -> None:
        self.run_form()

    def action_duplicate(self) -> None:
        if one := self.chosen:
            self.duplicate_form(one.id)

    def action_edit(self) -> None:
        if one := self.chosen:
            self.edit_form(one.id)

    def action_commit(self) -> None:
        if one := self.chosen:
            from moby_tui.screens.pages.shared.committing import ask_commit  # few containers become an image

            ask_commit(self, one)

    def action_connect(self) -> None:
        if one := self.chosen:
            self.connect_form(one)

    def action_disconnect(self) -> None:
        if one := self.chosen:
            self.disconnect_form(one)

    def action_ports(self) -> None:
        if one := self.chosen:
            self.ports_form(one)

    def action_copy_run(self) -> None:
        if one := self.chosen:
            self.copy_command(one.id)

    def action_filter(self) -> None:
        self.query_one("#container-filter", FilterBar).open()

    def action_logs(self) -> None:
        """The logs of the marked containers, or of the one under the cursor, in one stream."""
        self.workspace.guide.go("logs", *(one.name for one in self.targets()))

    def action_tab(self, name: str) -> None:
        self.query_one(ContainerDetail).turn_to(name)

    def action_zoom(self) -> None:
        """Both, details only, list only, and round again."""
        states = ("", "-detail-only", "-list-only")
        now = next((state for state in states[1:] if self.has_class(state)), "")
        following = states[(states.index(now) + 1) % 3]
        self.remove_class(*states[1:])
        if following:
            self.add_class(following)

    def action_back(self) -> None:
        """Both panels and the keys to the list; there already, it ends the filter, then the marks."""
        table, bar = self.query_one(ContainerTable), self.query_one("#container-filter", FilterBar)
        if table.has_focus:
            if bar.filled:
                bar.drop()
            else:
                table.action_unmark()
        self.remove_class("-detail-only", "-list-only")
        table.focus()

    @on(ContainerTable.RowSelected)
    def _row_selected(self) -> None:
        """Enter goes into the details."""
        self.query_one(ContainerDetail).focus_content()
