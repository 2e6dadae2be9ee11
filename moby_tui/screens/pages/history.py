"""The past of containers, removed ones too: one goes back to any time and sees its figures, log and events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from moby_tui.schema.history import Figures
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.logs.moments import SECOND
from moby_tui.screens.logs.store import LogStore
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.replay.past import Archive, Known
from moby_tui.screens.replay.timeline import BEFORE, Timeline
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.log_stream import LogStream
from moby_tui.screens.widgets.plot import Plot
from moby_tui.screens.widgets.time_bar import TimeBar

#: Replay moves the cursor so often, seconds.
FRAME = 0.25
SPEEDS = (1, 10, 60, 600)
#: More containers are not listed.
MOST = 500
_PLOTS = (("cpu", "CPU", "cpu"), ("memory", "MEM", "memory"), ("network", "NET", "received"), ("processes", "PIDS", "processes"))


class HistoryPage(Page):
    """A list of containers; beside it the line of time, the plots and the log of the one under the cursor."""

    mode = "history"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="history.before",
            title="5 min before",
            keys="b",
            tooltip="Go to five minutes before the container's next or last end",
        ),
        Action(id="history.earlier", title="Earlier", keys="comma", key_display=",", call="step(-1)", tooltip="A step back"),
        Action(id="history.later", title="Later", keys="full_stop", key_display=".", call="step(1)", tooltip="A step on"),
        Action(
            id="history.far_earlier",
            title="Far earlier",
            keys="less_than_sign",
            key_display="<",
            footer=False,
            call="step(-10)",
            tooltip="Ten steps back",
        ),
        Action(
            id="history.far_later",
            title="Far later",
            keys="greater_than_sign",
            key_display=">",
            footer=False,
            call="step(10)",
            tooltip="Ten steps on",
        ),
        Action(id="history.next", title="Event", keys="n", call="event(1)", tooltip="Go to what happened next"),
        Action(
            id="history.previous",
            title="Event before",
            keys="N",
            footer=False,
            call="event(-1)",
            tooltip="Go to what happened before",
        ),
        Action(id="history.replay", title="Replay", keys="p", tooltip="Let the time run, or hold it"),
        Action(id="history.speed", title="Speed", keys="s", tooltip="How fast the time runs: 1, 10, 60, 600 times"),
        Action(
            id="history.nearer", title="Nearer", keys="plus", key_display="+", call="zoom(2)", tooltip="Show half of the time"
        ),
        Action(id="history.wider", title="Wider", keys="minus", key_display="-", call="zoom(0.5)", tooltip="Show twice the time"),
        Action(id="history.reload", title="Reload", keys="r", footer=False, tooltip="Ask the engine again"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._archive = Archive(self.session)
        self._timeline = Timeline()
        self._store = LogStore(16 << 20)
        self._known: dict[str, Known] = {}
        self._chosen: Known | None = None
        self._speed = SPEEDS[1]
        self._replay: Timer | None = None
        self._replaying = False
        self._wanted = ""

    def content(self) -> Iterable[Widget]:
        plots = (Plot(title, _UNITS[series], floor=_FLOORS[series], id=f"past-{name}") for name, title, series in _PLOTS)
        yield Horizontal(
            Vertical(OptionList(id="pasts"), id="list"),
            Vertical(
                TimeBar(self._timeline, id="time"),
                Static(id="past-missing", markup=False),
                Grid(*plots, id="past-plots"),
                LogStream(self._store, dict, id="past-log", empty="no log lines"),
                id="detail",
            ),
            id="past",
        )

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "History"
        self.query_one(OptionList).focus()
        self._replay = self.set_interval(FRAME, self._run_on, pause=True)

    async def arrive(self, words: Sequence[str]) -> None:
        """The name of a container: ``:history web``."""
        if words:
            self._wanted = words[0]
            self._list()

    def on_screen_resume(self) -> None:
        self._list()

    def on_screen_suspend(self) -> None:
        self._hold()

    def action_reload(self) -> None:
        self._chosen = None
        self._list()

    @work(group="list", exclusive=True)
    async def _list(self) -> None:
        panel, choices = self.query_one("#list"), self.query_one(OptionList)
        try:
            known = await self._archive.containers()
        except TROUBLE as error:
            panel.border_subtitle = Content(text.clean(str(error)))
            return
        self._known = {one.id: one for one in known[:MOST]}
        chosen = self._chosen.id if self._chosen else ""
        wanted = next((one.id for one in known if self._wanted in (one.name, one.id) and self._wanted), "")
        self._wanted = ""
        now = time.time()
        choices.clear_options()
        self.set_class(not known, "-nothing")
        if not known:
            choices.add_option(Option("no container is remembered yet", disabled=True))
        choices.add_options(Option(_entry(one, now), id=one.id) for one in self._known.values())
        place = next((number for number, identifier in enumerate(self._known) if identifier == (wanted or chosen)), 0)
        choices.highlighted = place if self._known else None
        panel.border_subtitle = self._told_status(len(known))

    def _told_status(self, count: int) -> str:
        status = self._archive.status
        if self._archive.reason:
            return f"{count}"
        kept = f"{count} · {text.size(status.size)} of {text.size(status.limit)}, {status.age // 86400} days"
        return kept if status.recording else f"{kept} · no engine records just now"

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        known = self._known.get(event.option_id or "")
        if known is not None and (self._chosen is None or known.id != self._chosen.id):
            self._chosen = known
            self._hold()
            self._read(known)

    @work(group="read", exclusive=True)
    async def _read(self, known: Known) -> None:
        panel, stream = self.query_one("#detail"), self.query_one(LogStream)
        panel.border_title = Text(known.name)
        try:
            past = await self._archive.past(known)
        except TROUBLE as error:
            panel.border_subtitle = Content(text.clean(str(error)))
            return
        stream.clear()
        self._store.add(past.lines)
        stream.empty = past.no_log or "no log lines"
        stamps = [line.stamp / SECOND for line in past.lines if line.stamp]
        begin = min((moment for moment in (known.first, *stamps[:1]) if moment), default=known.last or time.time())
        end = max([known.last, known.removed, *stamps[-1:]])
        self._timeline.know(past.happenings, begin, end or time.time())
        stream.refill()
        await self._fetch_figures(known)

    async def _fetch_figures(self, known: Known) -> None:
        """Those of the window, as many as a plot has cells."""
        timeline = self._timeline
        missing = self._archive.reason
        width = max(self.query_one("#past-cpu", Plot).size.width - 6, 30)
        figures: list[Figures] = []
        if not missing:
            step = timeline.step_for(width, self._archive.status.interval)
            try:
                figures = await self._archive.figures(known, timeline.left, timeline.right + 1, step)
            except TROUBLE as error:
                missing = f"no figures: {text.clean(str(error))}"
        timeline.take_figures(figures)
        self._say_missing(missing)
        times = [one.time for one in figures]
        for name, _, series in _PLOTS:
            values = [_value(one, series) for one in figures]
            self.query_one(f"#past-{name}", Plot).show(values, times=times, missing="no figures of this time", clock=True)
        self._show()

    def _say_missing(self, reason: str) -> None:
        """Says once, in place of all plots, why there are no figures; without a reason the plots are shown."""
        label = self.query_one("#past-missing", Static)
        label.update(reason)
        label.display = bool(reason)
        self.query_one("#past-plots").display = not reason

    @work(group="figures", exclusive=True)
    async def _refetch(self) -> None:
        await asyncio.sleep(0.1)  # a burst of keys is answered once
        if self._chosen is not None:
            await self._fetch_figures(self._chosen)

    def _show(self) -> None:
        """All of it as it was at the cursor."""
        timeline = self._timeline
        self.query_one(TimeBar).refresh()
        index = timeline.figure()
        for name, _, _ in _PLOTS:
            self.query_one(f"#past-{name}", Plot).point(index)
        stream = self.query_one(LogStream)
        number = self._store.number_at(int(timeline.cursor * SECOND) + 1_000_000) - 1
        if self._store.first <= number < self._store.end:
            stream.go_to(number)
        panel = self.query_one("#detail")
        ended = [moment for moment in timeline.ends() if moment >= timeline.cursor - 0.5]
        parts = [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timeline.cursor))] if timeline.end else []
        if ended:
            ahead = ended[0] - timeline.cursor
            parts.append("it ends here" if ahead < 1 else f"{text.age(ahead)} before its end")
        if self._replaying:
            parts.append(f"replay {self._speed}×")
        panel.border_subtitle = " · ".join(parts)

    def _go(self, moment: float) -> None:
        if self._timeline.go(moment):
            self._refetch()
        self._show()

    @on(TimeBar.Moved)
    def _clicked(self, event: TimeBar.Moved) -> None:
        self._go(event.moment)

    @on(Plot.Pointed)
    def _pointed(self, event: Plot.Pointed) -> None:
        """The cursor of a plot is the cursor of them all, if a person moved it by its keys."""
        event.stop()
        if event.index is not None and event.plot.has_focus:
            self._go(self._timeline.figures[event.index].time)

    def action_step(self, steps: int) -> None:
        """A step is a cell of the line of time."""
        width = max(self.query_one(TimeBar).size.width - 2, 10)
        self._go(self._timeline.cursor + steps * max(self._timeline.span / width, 1.0))

    def action_before(self) -> None:
        moment = self._timeline.before_end()
        if moment is None:
            self.notify("it has not ended yet, as far as the engine remembers", timeout=3)
            return
        timeline = self._timeline
        if timeline.span > 4 * BEFORE and timeline.zoom(timeline.span / (4 * BEFORE)):
            self._refetch()
        self._go(moment)

    def action_event(self, step: int) -> None:
        happening = self._timeline.next_happening(step)
        if happening is not None:
            self._go(happening.time)

    def action_zoom(self, factor: float) -> None:
        if self._timeline.zoom(factor):
            self._refetch()
            self._show()

    def action_speed(self) -> None:
        self._speed = SPEEDS[(SPEEDS.index(self._speed) + 1) % len(SPEEDS)]
        self.notify(f"replay runs {self._speed}× as fast as it was", timeout=2)

    def action_replay(self) -> None:
        if self._replaying:
            self._hold()
        elif self._replay is not None:
            if self._timeline.cursor >= self._timeline.end:
                self._go(self._timeline.begin)
            self._replaying = True
            self._replay.resume()
        self._show()

    def _hold(self) -> None:
        if self._replay is not None:
            self._replaying = False
            self._replay.pause()

    def _run_on(self) -> None:
        self._go(self._timeline.cursor + FRAME * self._speed)
        if self._timeline.cursor >= self._timeline.end:
            self._hold()
            self._show()


def _value(figures: Figures, series: str) -> float:
    if series == "received":
        return figures.received + figures.sent
    return float(getattr(figures, series))


def _rate(value: float) -> str:
    return f"{text.size(value)}/s"


_UNITS: dict[str, Callable[[float], str]] = {
    "cpu": text.percent,
    "memory": text.size,
    "received": _rate,
    "processes": lambda value: f"{value:.0f}",
}
_FLOORS = {"cpu": 10.0, "memory": 1024.0**2, "received": 1024.0, "processes": 5.0}


def _entry(known: Known, now: float) -> Text:
    mark = ("□ ", "dim") if known.gone else ("● ", "green")
    code = f" exit {known.exit_code}" if known.exit_code is not None else ""
    removed = f"removed{code} · {text.age(now - known.removed)} ago" if known.removed else "removed" if known.gone else ""
    return Text.assemble(mark, known.name, (f"  {removed or known.image}", "dim"), no_wrap=True, overflow="ellipsis")
