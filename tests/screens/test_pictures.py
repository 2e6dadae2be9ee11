"""How the pages look, over fixed data and a clock that stands. A change is looked at, then taken with ``--snapshot-update``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fake_client import NOW, FakeEngine

from moby_tui.screens.app import Dashboard
from moby_tui.screens.pages import containers, images
from moby_tui.screens.session import session
from moby_tui.screens.widgets import container_detail


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
    return Dashboard(lambda: engine)


@pytest.mark.parametrize("size", [(140, 40), (80, 24), (40, 12)])
def test_containers(snap_compare, size):
    assert snap_compare(fixed(), press=["wait:800"], terminal_size=size)


@pytest.mark.parametrize(
    "keys",
    [["m"], ["i"], ["d"], ["question_mark"], ["2"], ["4"], ["slash", "r", "e"], ["z"]],
    ids=["use", "inspect", "confirm", "help", "images", "networks", "filter", "zoom"],
)
def test_pages(snap_compare, keys):
    async def hide_the_cursor(pilot):
        for field in pilot.app.screen.query("Input"):
            field.cursor_blink = False

    assert snap_compare(fixed(), press=["wait:800", *keys, "wait:500"], terminal_size=(120, 32), run_before=hide_the_cursor)


def test_light(snap_compare):
    async def turn_light(pilot):
        await pilot.pause(0.8)
        pilot.app.theme = "moby-light"
        await pilot.pause(0.3)

    assert snap_compare(fixed(), run_before=turn_light, terminal_size=(120, 32))
