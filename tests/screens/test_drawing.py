"""How much the dashboard works for what it draws: counts, no times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from textual.css import parse, stylesheet
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

from moby_tui.screens.app import FIRST_STYLES, STYLES
from moby_tui.screens.listing.columns import Cells
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import Session
from moby_tui.screens.stylesheet import KeptStylesheet
from moby_tui.screens.widgets.container_table import ContainerTable
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, summary


async def test_a_style_sheet_is_parsed_once_for_each_theme(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: Counter[object] = Counter()

    def count(scope: str, css: str, read_from: tuple[str, str], **options: Any) -> Any:
        parsed[read_from, options["tie_breaker"]] += 1
        return parse.parse(scope, css, read_from, **options)

    monkeypatch.setattr(stylesheet, "parse", count)
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        for key in "243":
            await pilot.press(key)
            await pilot.pause()
        assert set(parsed.values()) == {1}
        app.theme = "moby-light"
        sources = [(place, source.tie_breaker) for place, source in app.stylesheet.source.items()]
        await eventually(pilot, lambda: all(parsed[source] == 2 for source in sources))
        await pilot.pause()
        assert max(parsed.values()) == 2


@pytest.mark.parametrize("names", [["web", "db"], []])
async def test_the_styles_that_are_read_late_are_of_nothing_in_the_first_picture(
    names: list[str], open_dashboard: Open, eventually: Eventually
) -> None:
    engine = FakeEngine([summary(number, name) for number, name in enumerate(names)])
    late = {str(path) for path in STYLES} - {str(path) for path in FIRST_STYLES}
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: late <= {place for place, _ in app.stylesheet.source})
        nodes = [*app.walk_children(with_self=True)]
        for parent in [*nodes]:
            for name in parent._get_component_classes():
                nodes.append(DOMNode(classes=name))
                nodes[-1]._attach(parent)
        sources = [(place, source) for place, source in app.stylesheet.source.items() if place[0] in late]
        rules = [(place[0], rule) for place, source in sources for rule in app.stylesheet._rules_of(place, source)]
        assert len(sources) == len(late) and rules
        styled = {place for place, rule in rules for node in nodes if [*Stylesheet._check_rule(rule, node.css_path_nodes)]}
        assert not styled


async def test_a_page_that_was_just_made_has_its_styles_and_is_not_styled_as_a_whole_again(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[str] = []
    update = KeptStylesheet.update_nodes

    def note(self: KeptStylesheet, nodes: Iterable[DOMNode], animate: bool = False) -> None:
        listed = list(nodes)
        whole.extend(node.mode for node in listed if isinstance(node, Page) and len(listed) > 3)
        update(self, listed, animate)

    monkeypatch.setattr(KeptStylesheet, "update_nodes", note)
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, size=(170, 18)) as (app, pilot):
        assert app.screen.has_class("-broad") and app.screen.has_class("-low")
        await pilot.press("2")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.has_class("-broad"))
        await pilot.pause()
        assert whole == []
        await pilot.resize_terminal(90, 40)
        await eventually(pilot, lambda: app.screen.has_class("-narrow") and app.screen.has_class("-high"))
        assert set(whole) == {"images"}


async def test_an_event_draws_the_row_that_it_is_about_and_no_other(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    laid: list[int] = []
    cells, lay = ContainerTable.cells, ContainerTable._lay

    def note(self: ContainerTable, row: Container) -> Cells:
        made.append(row.name)
        return cells(self, row)

    def count(self: ContainerTable) -> None:
        laid.append(len(self._order))
        lay(self)

    monkeypatch.setattr(ContainerTable, "cells", note)
    monkeypatch.setattr(ContainerTable, "_lay", count)
    engine = FakeEngine([summary(number, f"box-{number:02}") for number in range(50)])
    async with open_dashboard(lambda: engine) as (app, pilot):
        assert laid.count(50) == 1 and len(made) == 50
        made.clear()
        engine.rows[summary(7, "").id].names = ["/box-7x"]
        engine.emit("container", "rename", summary(7, "").id, name="box-7x", oldName="/box-07")
        table = app.screen.query_one(ContainerTable)
        await eventually(pilot, lambda: any("box-7x" in table.get_row_at(row)[0].plain for row in range(50)))
        await pilot.pause(0.3)
        assert set(made) == {"box-7x"} and len(made) <= 2
        assert laid.count(50) == 1


async def test_a_page_behind_another_draws_nothing_and_catches_up(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    put = ContainerTable.put_rows

    def note(self: ContainerTable, rows: Sequence[Any], *more: Any, **options: Any) -> None:
        drawn.append(len(rows))
        put(self, rows, *more, **options)

    engine = FakeEngine([summary(number, f"box-{number}") for number in range(3)])
    async with open_dashboard(lambda: engine) as (app, pilot):
        page = app.screen
        await pilot.press("2")
        await eventually(pilot, lambda: app.current_mode == "images")
        monkeypatch.setattr(ContainerTable, "put_rows", note)
        engine.emit("container", "die", summary(1, "").id, name="box-1", exitCode="3")
        await eventually(pilot, lambda: page._touched)
        await pilot.pause()
        assert not drawn
        await pilot.press("1")
        await eventually(pilot, lambda: drawn == [3] and not page._touched)


async def test_the_rows_are_on_the_screen_before_the_engine_is_asked_for_more(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    engine = FakeEngine()
    info = engine.system.info

    async def asked() -> Any:
        (app,) = apps
        shown.append(app.screen.query_one(ContainerTable).row_count)
        return await info()

    apps: list[Any] = []
    made = Session.__init__

    def keep(self: Session, app: Any, *arguments: Any, **options: Any) -> None:
        apps.append(app)
        made(self, app, *arguments, **options)

    monkeypatch.setattr(Session, "__init__", keep)
    monkeypatch.setattr(engine.system, "info", asked)
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.session.connection.host)
        assert shown == [7]
