"""How the pages look, over fixed data and a clock that stands. A change is looked at, then taken with ``--snapshot-update``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, LoadingIndicator

from moby_tui.screens.app import Dashboard
from moby_tui.screens.pages import containers, images
from moby_tui.screens.session import session
from moby_tui.screens.widgets import container_detail
from moby_tui.screens.widgets.container_table import ContainerTable
from screens.fake_client import NOW, FakeEngine, as_client
from screens.typing_keys import typed, until


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (container_detail, containers, images, session):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: float(NOW)))


def fixed() -> Dashboard:
    engine = FakeEngine()
    engine.samples = 200
    stamp = "2026-09-21T13:33:{:02}.000000000Z "
    engine.logs["database"] = [
        (1, (stamp.format(i) + f"\x1b[32mLOG\x1b[0m:  checkpoint {i} complete\n").encode()) for i in range(40)
    ]
    engine.logs["database"].append((2, (stamp.format(41) + "WARNING: slow query " + "a = b and " * 20 + "\n").encode()))
    return Dashboard(as_client(lambda: engine))


async def at_rest(pilot: Pilot[None]) -> None:
    """Returns when the screen has stayed the same for three looks: what the engine is asked for at the start has arrived and is drawn."""
    seen: list[list[str]] = [[], ["not looked yet"], []]
    while seen[0] != seen[1] or seen[1] != seen[2] or pilot.app.query(LoadingIndicator):
        await pilot.pause(0.25)
        seen = [*seen[1:], [strip.text for strip in pilot.app.screen._compositor.render_strips()]]


def after(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """What brings the page up, types the keys, and waits for what they do."""

    async def type_them(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        await until(pilot, lambda: app.session.connection.up and app.screen.query_one(ContainerTable).row_count)
        await at_rest(pilot)
        await typed(app, pilot, *keys)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await at_rest(pilot)

    return type_them


@pytest.mark.parametrize("size", [(140, 40), (80, 24), (40, 12)])
def test_containers(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert snap_compare(fixed(), run_before=after(), terminal_size=size)


@pytest.mark.parametrize(
    "keys",
    [["m"], ["i"], ["d"], ["question_mark"], ["2"], ["4"], ["slash", "r", "e"], ["z"]],
    ids=["use", "inspect", "confirm", "help", "images", "networks", "filter", "zoom"],
)
def test_pages(snap_compare: Callable[..., bool], keys: list[str]) -> None:
    assert snap_compare(fixed(), run_before=after(*keys), terminal_size=(120, 32))


def test_light(snap_compare: Callable[..., bool]) -> None:
    async def turn_light(pilot: Pilot[None]) -> None:
        await after()(pilot)
        pilot.app.theme = "moby-light"
        await at_rest(pilot)

    assert snap_compare(fixed(), run_before=turn_light, terminal_size=(120, 32))
