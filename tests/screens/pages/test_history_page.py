"""The past of containers: the line of time, five minutes before the end, replay, removed containers, other engines."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.widgets import OptionList, Static

from moby_tui.errors import NotImplementedYet
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.history import Figures, KeptLine, Remembered
from moby_tui.screens.logs import moments
from moby_tui.screens.replay.timeline import LEAST, Happening, Timeline, happening
from moby_tui.screens.widgets.log_stream import LogStream
from moby_tui.screens.widgets.plot import Plot
from moby_tui.screens.widgets.time_bar import TimeBar
from screens.conftest import Eventually, Open, there
from screens.fake_client import FakeEngine, summary
from screens.typing_keys import typed

GONE = "0e" * 32


def event(action: str, moment: float, identifier: str = GONE, **attributes: str) -> Event:
    actor = EventActor(id=identifier, attributes={"name": "lost-web", **attributes})
    return Event(type="container", action=action, actor=actor, time=int(moment), time_nano=int(moment * 1e9))


def test_what_happened_in_words() -> None:
    def told(action: str, **attributes: str) -> str | None:
        one = happening(event(action, 1.0, **attributes))
        return one.told if one is not None else None

    assert told("die", exitCode="137\x1b[2J") == "ended with exit code 137"
    assert told("health_status: unhealthy") == "is unhealthy" and told("kill", signal="9") == "was sent signal 9"
    assert told("exec_start: sh") is None and told("start") == "started"


@given(
    st.lists(st.floats(0, 1e6), max_size=6),
    st.lists(st.tuples(st.sampled_from(["go", "in", "out"]), st.floats(-100, 2e6)), max_size=12),
)
def test_the_cursor_and_the_window_stay_within_what_is_known(times: list[float], moves: list[Any]) -> None:
    line = Timeline()
    line.know([Happening(moment, "die", "x") for moment in times], 500.0, 5000.0)
    for kind, value in moves:
        if kind == "go":
            line.go(value)
        else:
            line.zoom(2 if kind == "in" else 0.5)
        assert line.begin - 1e-6 <= line.left <= line.cursor + 1e-6 and line.cursor <= line.right + 1e-6 <= line.end + 2e-6
        assert line.right - line.left >= LEAST - 1e-6
        assert all(0 <= cell < 40 for cell in line.marks(40))
        before = line.before_end()
        assert (before is None) == (not times)


def test_five_minutes_before_it_died_and_what_came_next() -> None:
    line = Timeline()
    line.know([Happening(1000, "start", "s"), Happening(2000, "die", "d"), Happening(5000, "oom", "o")], 0, 6000)
    assert line.cursor == 5000 and line.before_end() == 4700
    line.go(100)
    assert line.before_end() == 1700
    assert there(line.next_happening(1)).time == 1000 and line.next_happening(-1) is None
    line.take_figures([Figures(time=50.0), Figures(time=150.0)])
    assert line.figure() == 0
    line.go(10)
    assert line.figure() is None and line.step_for(60, 10) > 10 and line.step_for(1000, 10) == 0


def with_a_past() -> tuple[FakeEngine, float]:
    now = time.time()
    death = now - 3600
    engine = FakeEngine([summary(1, "web"), summary(2, "容器-🐳" * 12)])
    engine.past = [
        event("create", death - 1800),
        event("start", death - 1790),
        event("die", death, exitCode="137"),
        event("destroy", death + 60, image="nginx"),
    ]
    engine.history.remembered = [
        Remembered(
            id=GONE,
            name="lost-\x1b[31mweb",
            image="nginx",
            first=death - 1780,
            last=death - 1,
            removed=death + 60,
            exit_code=137,
            log=True,
        )
    ]
    engine.history.kept[GONE] = [
        Figures(time=death - 1780 + 10 * number, cpu=number, memory=number * 2**20, limit=2**30, processes=3)
        for number in range(178)
    ]
    engine.history.logs[GONE] = [
        KeptLine(time=moments.rfc3339(int((death - 1780 + 10 * number) * 1e9)), stream="stdout", text=f"line {number}")
        for number in range(178)
    ]
    return engine, death


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_back_to_five_minutes_before_a_removed_container_died(
    open_dashboard: Open, eventually: Eventually, size: tuple[int, int]
) -> None:
    engine, death = with_a_past()
    async with open_dashboard(lambda: engine, size=size) as (app, pilot):
        app.go("history", GONE)
        await eventually(pilot, lambda: app.current_mode == "history" and app.screen._chosen and app.screen._chosen.id == GONE)
        page = app.screen
        await eventually(pilot, lambda: page._timeline.figures)
        listed = [str(page.query_one(OptionList).get_option_at_index(number).prompt) for number in range(3)]
        assert "lost-web" in listed[2] and "removed exit 137 · 59m ago" in listed[2]
        detail = page.query_one("#detail")
        assert "it ends here" in str(detail.border_subtitle)
        assert "exit code 137" in page.query_one(LogStream).cursor.text.decode()

        await typed(app, pilot, "b")
        assert page._timeline.cursor == pytest.approx(death - 300, abs=1)
        assert "5m before its end" in str(detail.border_subtitle)
        await eventually(pilot, lambda: death - 1300 < engine.history.asked[-1][0] < death)
        await eventually(pilot, lambda: page.query_one("#past-cpu", Plot).pointed is not None)
        cpu = page.query_one("#past-cpu", Plot)
        assert cpu._values[cpu.pointed] == pytest.approx(148, abs=1)
        assert page.query_one(LogStream).cursor.text in (b"line 147", b"line 148")
        await typed(app, pilot, "N")
        assert page._timeline.cursor == pytest.approx(death - 1790, abs=0.01)
        await typed(app, pilot, "n")
        assert page._timeline.cursor == pytest.approx(death, abs=0.01)
        await typed(app, pilot, "comma", "less_than_sign", "full_stop")
        assert page._timeline.cursor < death - 1

        bar = page.query_one(TimeBar)
        rows = ["".join(part.text for part in bar.render_line(y)) for y in (0, 1)]
        assert "✖" in rows[0] and {cell_len(row) for row in rows} == {bar.size.width}
        await typed(app, pilot, "s", "s", "p")
        await eventually(pilot, lambda: page._timeline.cursor == page._timeline.end)
        assert not page._replaying, "it stops at the end"
        assert cpu._axis_labels()[0].count(":") == 1, "clock times, not how long ago"
        await typed(app, pilot, "minus", "minus", "plus", "H")
        assert not page._replaying or page.is_current


async def test_an_engine_without_a_history_says_so_and_shows_what_it_has(open_dashboard: Open, eventually: Eventually) -> None:
    engine, _ = with_a_past()
    engine.history.refusal = NotImplementedYet("history")
    engine.logs["web"] = [(1, b"2026-11-29T10:00:00.000000000Z hello\n")]
    async with open_dashboard(lambda: engine, size=(120, 36)) as (app, pilot):
        app.go("history", "web")
        await eventually(pilot, lambda: app.current_mode == "history" and app.screen._chosen and app.screen._chosen.name == "web")
        page = app.screen
        await eventually(pilot, lambda: len(page._store) == 1)
        await pilot.pause()
        said = page.query_one("#past-missing", Static)
        assert said.display and "no figures: history" in str(said.render()), "in full, once"
        assert not page.query_one("#past-plots").display and page.query_one(LogStream).size.height > 20
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert said.size.height * said.size.width >= len(str(said.render())), "it has lines enough for all its words"
        assert page.query_one(OptionList).option_count == 3, "what was removed is known by its events"


async def test_nothing_to_remember(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine([]), size=(60, 20)) as (app, pilot):
        app.go("history")
        await eventually(pilot, lambda: app.current_mode == "history" and app.screen.query(OptionList))
        await typed(app, pilot, "b", "comma", "full_stop", "n", "N", "p", "p", "plus", "minus", "r", "s")
        assert app.current_mode == "history"
