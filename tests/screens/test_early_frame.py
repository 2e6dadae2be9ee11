"""What is drawn before Textual is there equals Textual's own picture of the page: the same text at the same places, in the same colours."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style

from moby_tui.engine import system
from moby_tui.schema.container import ContainerSummary, Port
from moby_tui.screens.early import frame
from moby_tui.screens.early.frame import View
from moby_tui.screens.early.writing import written
from moby_tui.screens.listing.arrangement import HIGH
from moby_tui.screens.listing.columns import Order
from moby_tui.screens.pages.registry import tabs
from moby_tui.screens.palette import PALETTES
from moby_tui.screens.preferences import ListView, Preferences
from moby_tui.screens.session.containers import ContainerModel
from moby_tui.screens.session.versions import engine_of, own_engine
from moby_tui.screens.widgets.container_table import ContainerTable
from screens.conftest import Open
from screens.fake_client import FakeEngine, some_containers, summary

SIZES = [(60, 20), (80, 18), (80, 24), (100, 30), (140, 40), (160, 45), (220, 60)]
Cell = tuple[str, Any, Any, bool, bool]


def many() -> list[ContainerSummary]:
    """More than a screen has lines, with wide letters, long names and a port."""
    return [
        *some_containers(),
        summary(20, "données", image="データベース:最新", command="echo 日本語"),
        summary(21, "a-name-that-is-longer-than-any-column-would-ever-be-on-a-screen", command="sleep " + "9" * 90),
        summary(22, "ports", ports=[Port(private_port=port, public_port=port, ip="0.0.0.0") for port in range(80, 90)]),
        summary(23, "ill", status="Up 3 minutes (unhealthy)"),
        *(summary(number, f"box-{number}", "exited", f"Exited ({number % 3}) 2 hours ago") for number in range(30, 99)),
    ]


def cells(line: Any) -> list[Cell]:
    """Each character with its colours and what is bold or reversed; of one that is not seen the ground alone counts."""
    found: list[Cell] = []
    for text, style, _ in line:
        ink, ground = (one and one.get_truecolor() for one in (style.color, style.bgcolor))
        for letter in text:
            seen = letter != " "
            found.append((letter, ink if seen or style.reverse else None, ground, bool(seen and style.bold), bool(style.reverse)))
    return found


def like(early: Cell, picture: Cell) -> bool:
    """Textual computes a theme's colours from others, and rounds."""
    pairs = [(one, other) for one, other in zip(early[1:3], picture[1:3], strict=True) if one and other]
    near = all(abs(one - other) <= 1 for pair in pairs for one, other in zip(*pair, strict=True))
    return near and (early[0], *early[3:]) == (picture[0], *picture[3:])


def plain(line: Any) -> str:
    return "".join(piece.text for piece in line)


def view_of(app: Any, theme: str) -> View:
    """What the dashboard shows, as of the moment at which it drew its list."""
    now = app.screen.query_one(ContainerTable)._now
    return View(app.session.model, app.session.connection.engine, PALETTES[theme], tabs("containers"), now)


async def compare(app: Any, view: View, size: tuple[int, int]) -> None:
    """The list, its border, the top line and the border of the details: all that the early frame says."""
    drawn = frame.draw(view, *size)
    assert all(sum(piece.cell_length for piece in line) == size[0] for line in drawn)
    assert len(drawn) == size[1]
    shown = app.screen._compositor.render_strips()
    listed, details = app.screen.query_one("#list").region, app.screen.query_one("#detail").region
    bar = listed.right - 1 - int(size[1] >= HIGH)  # the scroll bar comes with Textual's picture
    for y in (0, *range(listed.y, listed.bottom), details.y):
        edges = [(details.x, details.right)] if y == details.y != listed.y else [(0, size[0])] if y == 0 else [(0, bar)]
        for left, right in edges:
            early, picture = (list(Segment.divide(line, [left, right]))[1] for line in (drawn[y], list(shown[y])))
            assert plain(early) == plain(picture), (size, y)
            pairs = zip(cells(early), cells(picture), strict=True)
            assert not [pair for pair in pairs if not like(*pair)], (size, y, plain(picture))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", list(PALETTES))
async def test_the_early_frame_is_the_first_picture(open_dashboard: Open, size: tuple[int, int], theme: str) -> None:
    engine = FakeEngine(many())
    async with open_dashboard(lambda: engine, Preferences(theme=theme), size=size) as (app, pilot):
        app.session._tell(replace(app.session.connection, host=""))  # which is asked for after the first picture
        await pilot.pause()
        await compare(app, view_of(app, theme), size)


@pytest.mark.parametrize("size", [(100, 30), (220, 60)])
async def test_it_has_the_columns_the_order_and_the_room_that_the_person_chose(
    open_dashboard: Open, size: tuple[int, int]
) -> None:
    engine = FakeEngine(many())
    listed = ListView("image", reverse=True, hidden=["state", "id"], share=60, beside=size[0] < 160)
    chosen = Preferences(lists={"containers": listed}, read_only=True)
    async with open_dashboard(lambda: engine, chosen, size=size) as (app, pilot):
        app.session._tell(replace(app.session.connection, host=""))
        await pilot.pause()
        order, hidden = Order("image", reverse=True), frozenset({"state", "id"})
        view = replace(view_of(app, "moby-dark"), read_only=True, order=order, hidden=hidden, part=60, beside=size[0] < 160)
        await compare(app, view, size)


@pytest.mark.parametrize(
    ("environment", "codes"),
    [
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "0|1|4|7|39|49"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, r"0|1|4|7|[34]8;2;\d+;\d+;\d+"),
        ({"TERM": "xterm-256color"}, r"0|1|4|7|[34]8;5;\d+|3\d|4\d|9\d|10\d"),
        ({"TERM": "linux"}, r"0|1|4|7|3\d|4\d|9\d|10\d"),
    ],
    ids=["none", "true", "256", "16"],
)
def test_it_has_the_colours_that_the_terminal_has(environment: dict[str, str], codes: str) -> None:
    for keeps in (Style.parse, Style._add, Style.clear_meta_and_links):
        getattr(keeps, "cache_clear", lambda: None)()  # a style keeps its codes for the first terminal that it is written to
    model = ContainerModel()
    model.reset(many(), 0.0)
    view = View(model, "moby 1", PALETTES["moby-dark"], tabs("containers"), 0.0, colourless="NO_COLOR" in environment)
    lines = frame.draw(view, 80, 24)
    drawn = written(lines, environment)
    assert re.sub("\x1b\\[[0-9;]*m", "", drawn) == "".join(
        f"\x1b[{number};1H{plain(line)}" for number, line in enumerate(lines, 1)
    )
    styles = re.findall("\x1b\\[([0-9;]*)m", drawn)
    assert not [style for style in styles if not re.fullmatch(f"({codes})(;({codes}))*", style)]
    cursor, other = (re.search("│\x1b\\[0m\x1b\\[([0-9;]*)m ", drawn.split(f"\x1b[{number};1H")[1]) for number in (4, 5))
    assert cursor and other and cursor[1] != other[1]  # the row under the cursor stands out


def test_it_names_the_engine_as_the_page_does() -> None:
    assert own_engine() == engine_of(system.version())
