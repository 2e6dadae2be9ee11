"""The log workbench: the logs of any number of containers in one stream, searched, filtered, marked and exported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.widget import Widget

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.dialogs.log_line import ShowLine
from moby_tui.screens.dialogs.picker import Chooser
from moby_tui.screens.logs import moments
from moby_tui.screens.logs.export import write
from moby_tui.screens.logs.gathering import Gathering
from moby_tui.screens.logs.query import QueryError, parse
from moby_tui.screens.logs.shown import find
from moby_tui.screens.logs.store import CHUNK_LINES, NOTE, LogLine, LogStore
from moby_tui.screens.logs.terms import Everything, StreamIs, Term
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_line import Times
from moby_tui.screens.widgets.log_stream import LANGUAGE, LogStream

#: A terminal takes no more by OSC 52.
MOST_COPIED = 74_000


class LogsPage(Page):
    """Reads while it is mounted; what comes while it is hidden is drawn when it is seen again."""

    mode = "logs"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="logs.pick", title="Containers", keys="c", tooltip="Choose the containers whose logs are shown"),
        Action(id="logs.search", title="Search", keys="slash", key_display="/", tooltip="Mark the lines that match"),
        Action(id="logs.filter", title="Filter", keys="ampersand", key_display="&", tooltip="Show only the lines that match"),
        Action(id="logs.names", title="Names", keys="a", footer=False, tooltip="Show or hide the containers' names"),
        Action(id="logs.columns", title="Columns", keys="v", tooltip="Show fields of JSON or logfmt lines in columns"),
        Action(id="logs.range", title="Range", keys="r", tooltip="Read another number of lines, or from another time on"),
        Action(id="logs.mark", title="Mark", keys="space", key_display="space", tooltip="Mark the line, or the selected lines"),
        Action(id="logs.marked", title="Next mark", keys="m", footer=False, tooltip="Go to the next marked line"),
        Action(
            id="logs.run",
            title="Next run",
            keys="right_square_bracket",
            key_display="]",
            footer=False,
            call="run(1)",
            tooltip="Go to the next start or end of a container",
        ),
        Action(
            id="logs.run_before",
            title="Run before",
            keys="left_square_bracket",
            key_display="[",
            footer=False,
            call="run(-1)",
            tooltip="Go to the start or end of a container before",
        ),
        Action(id="logs.open", title="Line", keys="enter", footer=False, tooltip="Show the line in full, with its fields"),
        Action(
            id="logs.copy", title="Copy", keys="y", footer=False, tooltip="Copy the selected lines to the terminal's clipboard"
        ),
        Action(id="logs.export", title="Export", keys="E", tooltip="Write the lines that are shown to a file"),
        Action(id="logs.clear", title="Clear", keys="C", footer=False, tooltip="Empty the view; the logs stay as they are"),
        Action(id="logs.back", title="Back", keys="escape", footer=False, tooltip="End the search, then the filter"),
    )

    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        return (LogStream,)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._choices = workspace.preferences.logs
        self._store = LogStore(self._choices.megabytes << 20)
        self._gathering = Gathering(self.session, self._store, self._came)
        self._unseen = False
        #: what the line at the bottom asks for
        self._asked = ""
        self._hits_from: int | None = None
        #: why the query of a bar cannot be read
        self._wrong: dict[FilterBar, str] = {}
        self._title = Text()

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            LogStream(self._store, lambda: self._gathering.names, id="stream", empty="no container is chosen: press c"),
            FilterBar("search", LANGUAGE, id="log-search", kind="logs"),
            FilterBar("filter", LANGUAGE, id="log-filter", kind="logs"),
            FilterBar("", "", id="log-ask"),
            id="list",
        )

    def on_mount(self) -> None:
        stream = self.query_one(LogStream)
        stream.times = Times[self._choices.times.upper()] if self._choices.times.upper() in Times.__members__ else Times.LOCAL
        stream.columns = tuple(self._choices.columns)
        stream.focus()
        self._tell()
        self.session.containers_changed.subscribe(self, self._gathering.wake)
        self.session.connection_changed.subscribe(self, lambda _: self._gathering.wake(frozenset()))
        self.session.event_received.subscribe(self, self._event)
        self.app.theme_changed_signal.subscribe(self, lambda _: stream.notify_style_update())
        self.run_worker(self._gathering.run(), group="gathering")

    async def arrive(self, words: Sequence[str]) -> None:
        """``all``, ``project:shop``, ``label:key=value``, or words of the containers' names and images.

        Also ``tail:LINES`` and ``since:SECONDS`` (since 1970): what is read of what was written before.
        """
        bounds = {word.partition(":")[0]: word.partition(":")[2] for word in words if word.startswith(("tail:", "since:"))}
        if bounds:
            self._bound(bounds)
        if rest := [word for word in words if not word.startswith(("tail:", "since:"))]:
            await self._choose_by(rest)

    def _bound(self, bounds: Mapping[str, str]) -> None:
        try:
            tail = int(bounds["tail"]) if "tail" in bounds else None
            since = float(bounds.get("since", "0"))
        except ValueError:
            self.notify("write tail:100 or since:1795986000 (seconds)", severity="warning")
            return
        self._gathering.tail, self._gathering.since = tail, since
        if self._gathering.sources:
            self._gathering.read_again()

    async def _choose_by(self, words: Sequence[str]) -> None:
        labels = [word.partition(":")[2] for word in words if word.startswith("label:")]
        queries = [word for word in words if not word.startswith("label:")]
        chosen: dict[str, str] = {}
        if labels:
            try:
                rows = await self.session.client.containers.list(all=True, filters={"label": labels})
            except TROUBLE as error:
                self.notify(text.clean(str(error)), title="No logs by label", severity="error", markup=False)
                return
            known = (self.session.model.get(row.id) for row in rows)
            chosen |= {one.id: one.name for one in known if one}
        for query in queries:
            chosen |= {one.id: one.name for one in self._matching(query)}
        if chosen:
            self._show(chosen)
        else:
            self.notify(f"no container matches {' '.join(words)}", severity="warning", markup=False)

    def _matching(self, query: str) -> list[Container]:
        rows = self.session.model.sorted()
        if query in ("all", "*"):
            return rows
        if query.startswith("project:"):
            return [one for one in rows if one.project == query.partition(":")[2]]
        exact = [one for one in rows if one.name == query or (len(query) >= 12 and one.id.startswith(query))]
        return exact or [one for one in rows if one.matches(query)]

    def _show(self, chosen: dict[str, str]) -> None:
        """Turns to these containers; search and filter end, since other lines are shown now."""
        if set(chosen) == set(self._gathering.ids):
            return
        if set(chosen).isdisjoint(self._gathering.ids):
            self._end_search()
            self._end_filter()
            self.query_one(LogStream).clear()
        beyond = self._gathering.want(chosen)
        if beyond:
            self.notify(f"{beyond} containers are left out: the logs of 250 are shown at once", severity="warning")
        stream = self.query_one(LogStream)
        stream.empty = "no log lines yet" if chosen else "no container is chosen: press c"
        stream.refill()
        self._tell()

    # What comes

    def _came(self) -> None:
        if self.is_current:
            self.query_one(LogStream).refill()
        else:
            self._unseen = True

    def on_screen_suspend(self) -> None:
        self._choices.times = self.query_one(LogStream).times.name.lower()

    def on_screen_resume(self) -> None:
        if self._unseen:
            self._unseen = False
            self.query_one(LogStream).refill()
        if not self._gathering.sources:
            running = [one for one in self.session.model.sorted() if one.running]
            if len(running) == 1:
                self._show({running[0].id: running[0].name})

    def _event(self, event: Event) -> None:
        self._gathering.take_event(event)

    @on(LogStream.Changed)
    def _tell(self) -> None:
        """The lines above and below: which containers, how many lines, and where one is in them."""
        panel, stream = self.query_one("#list"), self.query_one(LogStream)
        title = Text("Logs", end="")
        sources = list(self._gathering.sources.values())
        for source in sources[:8]:
            title.append(" · ").append(source.name, stream.colour_of(source.number))
        if len(sources) > 8:
            title.append(f" · {len(sources) - 8} more")
        if title != self._title:
            self._title = title
            panel.border_title = title
        store = self._store
        parts = [f"{len(stream.shown):,} of {len(store):,} lines" if not stream.shown.everything else f"{len(store):,} lines"]
        parts.append(f"{text.size(store.bytes)} of {text.size(store.limit)}")
        if store.first:
            parts.append(f"{store.first:,} older ones dropped")
        if not stream.following:
            parts.append(f"+{stream.new_lines:,} new · f follow" if stream.new_lines else "f follow")
        panel.border_subtitle = " · ".join(parts)
        here, count, settled = stream.hit_at_cursor()
        bar = self.query_one("#log-search", FilterBar)
        if stream.hits is not None:
            more = "" if settled else "+"
            bar.count(f"{here} of {count:,}{more}" if here else f"{count:,}{more} lines")
        self.query_one("#log-filter", FilterBar).count("" if stream.shown.everything else f"{len(stream.shown):,} lines")
        for wrong, words in self._wrong.items():
            wrong.count(words)

    # Search and filter

    @on(FilterBar.Changed, "#log-search")
    def _searched(self, event: FilterBar.Changed) -> None:
        event.stop()
        stream = self.query_one(LogStream)
        term = self._read(event)
        if term is None:
            return
        stream.search(term)
        if stream.hits is not None and self._hits_from is not None:
            stream.find_here(self._hits_from)

    @on(FilterBar.Changed, "#log-filter")
    def _filtered(self, event: FilterBar.Changed) -> None:
        event.stop()
        term = self._read(event)
        if term is not None:
            self.query_one(LogStream).filter(term)

    def _read(self, event: FilterBar.Changed) -> Term | None:
        """The term that was typed; None, and the reason beside it, while it cannot be read."""
        try:
            term = parse(event.value, time.time(), lambda: self._gathering.names)
        except QueryError as error:
            self._wrong[event.bar] = str(error)
            event.bar.count(str(error))
            return None
        self._wrong.pop(event.bar, None)
        return term

    @on(FilterBar.Left)
    def _left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.query_one(LogStream).focus()
        if event.bar.id == "log-ask":
            self._answered(event.bar.value, given_up=event.dropped)
        self._hits_from = None
        self._tell()

    def action_search(self) -> None:
        cursor = self.query_one(LogStream).cursor_number
        self._hits_from = cursor
        self.query_one("#log-search", FilterBar).open()

    def action_filter(self) -> None:
        self.query_one("#log-filter", FilterBar).open()

    def action_back(self) -> None:
        stream = self.query_one(LogStream)
        if stream.hits is not None or self.query_one("#log-search", FilterBar).filled:
            self._end_search()
        elif not stream.shown.everything or self.query_one("#log-filter", FilterBar).filled:
            self._end_filter()
        else:
            stream.action_follow()
        stream.focus()

    def _end_search(self) -> None:
        self.query_one("#log-search", FilterBar).drop()
        self.query_one(LogStream).search(None)

    def _end_filter(self) -> None:
        self.query_one("#log-filter", FilterBar).drop()
        self.query_one(LogStream).filter(Everything())

    # What is seen

    def action_pick(self) -> None:
        model = self.session.model

        def find(words: str) -> list[tuple[str, Text]]:
            return [(row.id, _choice(row)) for row in model.sorted(words)]

        def chosen(ids: tuple[str, ...] | None) -> None:
            if ids is not None:
                self._show({row.id: row.name for identifier in ids if (row := model.get(identifier))})

        hint = "words · !not · name of a project"
        self.app.push_screen(Chooser("Logs of which containers?", find, self._gathering.ids, hint=hint), chosen)

    def action_names(self) -> None:
        stream = self.query_one(LogStream)
        shown = len(self._gathering.sources) > 1 if stream.show_names is None else stream.show_names
        stream.show_names = not shown

    def action_mark(self) -> None:
        self.query_one(LogStream).mark()

    def action_marked(self) -> None:
        stream = self.query_one(LogStream)
        place = stream.cursor_number
        marks = parse("is:marked", 0)
        number = find(self._store, marks, place + 1, 1) if place is not None and place + 1 < self._store.end else None
        if number is None:
            number = find(self._store, marks, self._store.first, 1)
        self._go(number, "no line is marked: space marks one")

    def action_run(self, step: int) -> None:
        """Goes to where a container started or ended."""
        stream = self.query_one(LogStream)
        place = stream.cursor_number
        number = None
        if place is not None and self._store.first <= place + step < self._store.end:
            number = find(self._store, StreamIs(NOTE), place + step, step)
        self._go(number, "no other start or end in these lines")

    def _go(self, number: int | None, otherwise: str) -> None:
        if number is None:
            self.notify(otherwise, timeout=3)
        else:
            self.query_one(LogStream).go_to(number)

    def action_open(self) -> None:
        line = self.query_one(LogStream).cursor
        if line is not None:
            self.app.push_screen(ShowLine(line, self._gathering.names.get(line.source, "")))

    def action_clear(self) -> None:
        self.query_one(LogStream).clear()

    # The line at the bottom

    def action_columns(self) -> None:
        self._ask("columns", "names of fields, as: level status http.path", " ".join(self.query_one(LogStream).columns))

    def action_range(self) -> None:
        now = (
            f"since {moments.local(int(self._gathering.since * 1e9))}"
            if self._gathering.since
            else f"{self._gathering.tail or 'all'}"
        )
        self._ask("range", f"now {now} · 20000 lines, all, 30m, 14:30, or a date", "")

    def action_export(self) -> None:
        name = time.strftime("logs-%Y%m%d-%H%M%S.log")
        self._ask("write to", "a file that is not there yet", str(Path.home() / name))

    def _ask(self, what: str, hint: str, value: str) -> None:
        self._asked = what
        self.query_one("#log-ask", FilterBar).ask(what, hint, value)

    def _answered(self, value: str, *, given_up: bool) -> None:
        question, self._asked = self._asked, ""
        self.query_one("#log-ask", FilterBar).drop()
        if question == "columns" and not given_up:
            columns = tuple(value.replace(",", " ").split())
            self.query_one(LogStream).columns = columns
            self._choices.columns = list(columns)
        elif question == "range" and value and not given_up:
            self._set_range(value)
        elif question == "write to" and value and not given_up:
            self._export(Path(value).expanduser())

    def _set_range(self, value: str) -> None:
        moment = moments.parse_moment(value, time.time())
        if value == "all":
            self._gathering.tail, self._gathering.since = None, 0.0
        elif value.isdecimal():
            self._gathering.tail, self._gathering.since = int(value), 0.0
        elif moment is not None:
            self._gathering.tail, self._gathering.since = None, moment / moments.SECOND
        else:
            self.notify(
                f"{value} is no number of lines and no time: write 20000, all, 30m, 14:30 or a date",
                severity="error",
                markup=False,
            )
            return
        self.query_one(LogStream).clear()
        self._gathering.read_again()
        self._tell()

    @work(group="export", exclusive=True)
    async def _export(self, path: Path) -> None:
        """Writes the lines that are shown."""
        stream = self.query_one(LogStream)
        shown, names = stream.shown, dict(self._gathering.names)
        settled = False
        while not settled:
            settled = shown.advance()
            await asyncio.sleep(0)
        lines: list[LogLine] = []
        for position, number in enumerate([shown.number(place) for place in range(len(shown))]):
            if number >= self._store.first:
                lines.append(self._store.line(number))
            if position % CHUNK_LINES == 0:
                await asyncio.sleep(0)
        try:
            await asyncio.to_thread(write, path, lines, names)
        except FileExistsError:
            self.notify(f"{path} is there already: name another file", title="Nothing written", severity="error", markup=False)
        except OSError as error:
            self.notify(f"{path}: {error.strerror}", title="Nothing written", severity="error", markup=False)
        else:
            self.notify(f"{len(lines):,} lines are in {path}", markup=False)

    def action_copy(self) -> None:
        """By OSC 52; what the terminal does with it is its own affair."""
        lines = self._marked_or_selected()
        if not lines:
            return
        copied = "\n".join(line.text.decode("utf-8", "replace") for line in lines)
        if len(copied) > MOST_COPIED:
            self.notify("more than a terminal's clipboard takes: E writes lines to a file", severity="error")
            return
        self.app.copy_to_clipboard(copied)
        self.notify(f"{len(lines)} lines copied", timeout=3)

    def _marked_or_selected(self) -> list[LogLine]:
        selected = self.query_one(LogStream).selected
        if len(selected) > 1:
            return selected
        marks = parse("is:marked", 0)
        marked = [
            chunk.line(index) for chunk in self._store.chunks for index, hit in enumerate(marks.select(chunk)) if hit
        ]  # fmt: skip
        return marked or selected


def _choice(row: Container) -> Text:
    mark = ("● ", "green") if row.running else ("○ ", "dim")
    project = (f"  {row.project}", "dim italic") if row.project else ""
    return Text.assemble(mark, row.name, (f"  {row.image}", "dim"), project, no_wrap=True, overflow="ellipsis")
