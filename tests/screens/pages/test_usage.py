"""What containers and the machine use: the overview, the machine page, the plots and their cursor."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from moby_tui.errors import NotImplementedYet
from moby_tui.schema.container import Health, HealthLogEntry
from moby_tui.schema.stats import CpuStats, CpuUsage, NetworkStats, Stats
from moby_tui.screens import text
from moby_tui.screens.session.history import History
from moby_tui.screens.usage import polling
from moby_tui.screens.usage.machine import busy, look, parse_meminfo, parse_pressure, parse_stat
from moby_tui.screens.usage.probes import Probes
from moby_tui.screens.usage.rows import COLUMNS, LEAST_NAME, UsageRow, columns_for, find_column, sort
from moby_tui.screens.widgets import container_detail
from moby_tui.screens.widgets.container_detail import ContainerDetail
from moby_tui.screens.widgets.figure_table import FigureTable
from moby_tui.screens.widgets.plot import Plot
from screens.conftest import Eventually, Open, there
from screens.fake_client import FakeEngine, summary
from screens.typing_keys import typed


def rows_of(widget: Any) -> list[str]:
    return ["".join(segment.text for segment in widget.render_line(y)) for y in range(widget.size.height)]


def test_one_shot_samples_are_compared_with_the_one_before() -> None:
    history = History()
    for turn in (1, 2, 3):
        used = CpuUsage(total_usage=turn * turn * 10**8)
        cpu = CpuStats(cpu_usage=used, system_cpu_usage=turn * 2 * 10**9, online_cpus=2)
        networks = {"eth0": NetworkStats(rx_bytes=turn * 100, tx_bytes=turn * 10)}
        history.add(Stats(read="", preread="", cpu_stats=cpu, networks=networks), float(turn), one_shot=True)
    assert list(history.cpu) == [0, 30, 50]
    assert (list(history.received), list(history.sent), list(history.network)) == ([0, 100, 100], [0, 10, 10], [0, 110, 110])


def test_rows_without_figures_come_last_and_names_settle_ties() -> None:
    rows = [
        UsageRow("1", "b", "up", 5, cpu=1),
        UsageRow("2", "a", "up", 9, cpu=1),
        UsageRow("3", "c", "exited", 1, missing="exited"),
        UsageRow("4", "d", "up", 2, cpu=7),
    ]

    def names(name: str, reverse: bool = False) -> str:
        return "".join(row.name for row in sort(rows, there(find_column(name)), reverse=reverse))

    assert [names("cpu"), names("cpu", True), names("name"), names("name", True), names("since")] == [
        "dabc",
        "abdc",
        "abcd",
        "dcba",
        "abdc",
    ]
    assert find_column("nothing") is None and there(find_column("mem")).id == "memory"
    assert len(columns_for(60)) < len(columns_for(100)) < len(columns_for(140)) == len(COLUMNS)
    for width in range(52, 140):
        columns = columns_for(width)
        # a column that is cut says less than one that is left out
        assert sum(column.width or LEAST_NAME for column in columns) + len(columns) - 1 <= width


def test_proc_as_the_kernel_writes_it(tmp_path: Path) -> None:
    before = parse_stat("cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 5 0 5 40 0 0 0 0\ncpu1 5 0 5 40 0 0 0 0\nintr 1 2\n")
    now = parse_stat("cpu  60 0 10 100 30 0 0 0 50 0\ncpu0 55 0 5 40 0 0 0 0\ncpu1 5 0 5 60 30 0 0 0\n")
    assert busy(before, now) == (50.0, [100.0, 0.0])
    assert busy(now, now) == (0.0, [0.0, 0.0])
    assert parse_meminfo("MemTotal:  16 kB\nHugePages_Total:  3\nBroken\n: x\n") == {"MemTotal": 16384, "HugePages_Total": 3}
    told = parse_pressure("some avg10=1.50 avg60=0.25 avg300=0.00 total=9\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1\n")
    assert told.some == (1.5, 0.25, 0.0) and told.full == (0.5, 0.0, 0.0)
    nothing = look(["/no/such"], tmp_path)
    assert (nothing.memory, nothing.pressure, nothing.disks, nothing.load, nothing.cores.each) == ({}, {}, (), (), ())
    real = look(["/", "/"])
    assert len(real.cores.each) >= 1 and 0 < real.memory_used < real.memory_total and len(real.disks) == 1


def test_probes_are_remembered_once() -> None:
    probes = Probes()
    entries = [HealthLogEntry(start=f"2026-11-29T10:00:0{number}Z", end=f"2026-11-29T10:00:0{number}.25Z") for number in range(3)]
    probes.add(None)
    assert probes.status == ""
    probes.add(Health(status="healthy", log=entries[:2]))
    probes.add(Health(status="unhealthy", failing_streak=3, log=[*entries, HealthLogEntry(start="x", end="y")]))
    assert list(probes.seconds) == [0.25] * 3 and probes.note == "unhealthy, 3 failed in a row"


async def test_the_overview_sorts_filters_and_says_why_figures_are_missing(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "EVERY", 0.5)
    monkeypatch.setattr(polling, "PER_CONTAINER", 0.0)
    engine = FakeEngine()
    engine.unmeasured["03" * 32] = NotImplementedYet("stats \x1b[31mof rootless containers")
    async with open_dashboard(lambda: engine, size=(140, 30)) as (app, pilot):
        await typed(app, pilot, "8")
        await eventually(pilot, lambda: app.current_mode == "overview" and min(engine.turns.values(), default=0) >= 2)
        table = app.screen.query_one(FigureTable)
        await eventually(pilot, lambda: any("20.0%" in row for row in rows_of(table)))

        def order() -> list[str]:
            return [row.name for row in table.rows]

        assert order()[:3] == ["cache", "database", "web"], "by processor time"
        assert set(order()[3:]) == {"worker", "batch", "migrate", "draft"}
        text = "\n".join(rows_of(table))
        assert "rootless" in text and "\x1b" not in text and "out of memory: no figures" not in text
        assert "exited 0: no figures" in text and "with figures" in str(app.screen.query_one("#list").border_subtitle)
        await typed(app, pilot, "R")
        assert order()[:3] == ["web", "database", "cache"]
        await typed(app, pilot, "s", "s")
        assert order()[:3] == ["web", "database", "cache"] and "MEM↓" in rows_of(table)[0]
        assert await pilot.click(table, offset=(2, 0))
        await eventually(pilot, lambda: order() == sorted(order()))
        await typed(app, pilot, "a")
        assert len(order()) == 4
        await typed(app, pilot, "slash", *"data", "enter")
        assert order() == ["database"]
        await typed(app, pilot, "escape", "G", "k", "g")
        assert table.chosen.name == order()[0]
        asked = sum(engine.turns.values())
        await typed(app, pilot, "5")
        await eventually(pilot, lambda: app.current_mode == "events")
        pages = app._pages["overview"]
        assert not pages._seen.is_set(), "nothing is sampled while it is hidden"
        assert sum(engine.turns.values()) - asked <= 4


@pytest.mark.parametrize("count", [0, 1, 500])
async def test_the_overview_of_few_and_many(open_dashboard: Open, eventually: Eventually, count: int) -> None:
    engine = FakeEngine([summary(number, f"容器-{number:03}-🐳" + "x" * 80) for number in range(count)])
    engine.rows = {f"{number:064x}": row for number, row in enumerate(engine.rows.values())} if count < 256 else engine.rows
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        await typed(app, pilot, "8")
        await eventually(pilot, lambda: app.current_mode == "overview" and app.screen.query(FigureTable))
        await pilot.pause()
        table = app.screen.query_one(FigureTable)
        assert {cell_len(row) for row in rows_of(table)} == {table.scrollable_content_region.width}
        if not count:
            assert "moby run" in rows_of(table)[1]


async def test_the_machine_page(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(120, 40)) as (app, pilot):
        await typed(app, pilot, "M")
        await eventually(pilot, lambda: app.current_mode == "machine" and app.screen.query("#machine-text"))
        await eventually(pilot, lambda: "Disks" in str(app.screen.query_one("#machine-text").render()))
        await typed(app, pilot, "r", "r")
        told = str(app.screen.query_one("#machine-text").render())
        assert "Cores" in told and "used" in told and "Pressure" in told
        title = str(app.screen.query_one("#list").border_title)
        assert os.uname().nodename in title and "the engine is on testhost" in title
        assert len(app.screen.query_one("#machine-cpu", Plot)._values) >= 1


async def test_a_plot_tells_the_value_under_the_cursor_and_its_axes(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.samples = 60
    async with open_dashboard(lambda: engine, size=(140, 50)) as (app, pilot):
        await typed(app, pilot, "m")
        await eventually(pilot, lambda: app.screen.query_one("#use-plots #cpu", Plot)._values)
        plot = app.screen.query_one("#use-plots #cpu", Plot)
        plot.show([10, 20, 30, 40], "now", [100, 110, 120, 130])
        rows = rows_of(plot)
        assert rows[0].startswith("CPU 40.0% now") and rows[-1].endswith("now") and "▕" in rows[1] and "    0▕" in rows[-2]
        plot.focus()
        await typed(app, pilot, "left")
        assert rows_of(plot)[0].startswith("CPU 30.0% 10s ago") and plot.pointed == 2
        await typed(app, pilot, "home")
        assert rows_of(plot)[0].startswith("CPU 10.0% 30s ago")
        await typed(app, pilot, "end")
        assert rows_of(plot)[0].startswith("CPU 40.0%")
        plot.show([], missing="no figures: it is exited 1")
        assert rows_of(plot)[0].startswith("CPU –") and "exited 1" in rows_of(plot)[1]
        assert "no health check" in rows_of(app.screen.query_one("#use-plots #probes", Plot))[1]


async def test_a_plot_draws_only_the_lines_that_differ_and_all_of_them_in_another_theme() -> None:
    drawn: list[int] = []

    class Watched(Plot):
        def render_line(self, y: int) -> Strip:
            drawn.append(y)
            return super().render_line(y)

    class Plots(App[None]):
        def compose(self) -> ComposeResult:
            yield Watched("CPU", text.percent, floor=10.0, id="watched")

    async def lines(pilot: Pilot[None], **shown: Any) -> list[int]:
        drawn.clear()
        app.query_one(Watched).show(**shown)
        await pilot.pause()
        return sorted(set(drawn))

    app = Plots()
    times = [float(second) for second in range(60)]
    async with app.run_test(size=(50, 12)) as pilot:
        assert await lines(pilot, values=[5.0] * 60, times=times) == [*range(12)]
        assert await lines(pilot, values=[5.0] * 60, times=[second + 1 for second in times]) == []
        assert await lines(pilot, values=[5.0] * 60, times=times, note="3 procs") == [0]
        assert await lines(pilot, values=[5.0] * 59 + [0.0], times=times, note="3 procs") == [0, *range(6, 11)]
        assert await lines(pilot, values=[5.0] * 59 + [90.0], times=times) == [*range(11)]
        assert await lines(pilot, values=[], missing="it has exited") == [*range(12)]
        assert await lines(pilot, values=[5.0], times=times[:1]) == [*range(12)]
        # the axis comes, so that the rows are fewer, and have other colours
        assert await lines(pilot, values=[0.0, 5.0], times=times[:2]) == [*range(1, 12)]
        before = app.query_one(Watched).render_line(0)
        app.theme = "textual-light"
        await pilot.pause()
        assert app.query_one(Watched).render_line(0) != before


async def test_the_details_are_not_drawn_anew_while_nothing_of_them_changes(
    open_dashboard: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(140, 50)) as (app, pilot):
        detail = app.screen.query_one(ContainerDetail)
        detail.show_age()
        await pilot.pause()
        drawn: list[object] = []
        monkeypatch.setattr(detail, "refresh", lambda *_, **__: drawn.append(None))
        detail.show_age()
        assert not drawn
        later = time.time() + 7200
        monkeypatch.setattr(container_detail, "time", SimpleNamespace(time=lambda: later))
        detail.show_age()
        assert drawn
