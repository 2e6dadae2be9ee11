"""How much the dashboard works for what it draws: counts, no times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from textual.css import parse, stylesheet
from textual.dom import DOMNode

from moby_tui.screens.pages.page import Page
from moby_tui.screens.stylesheet import KeptStylesheet
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


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
