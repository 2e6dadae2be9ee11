"""The log workbench by keys: several containers in one stream, search, filter, marks, columns, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate
from moby_tui.screens.app import Dashboard
from moby_tui.screens.dialogs.log_line import ShowLine
from moby_tui.screens.dialogs.picker import Chooser
from moby_tui.screens.logs import moments
from moby_tui.screens.logs.gathering import Gathering
from moby_tui.screens.logs.store import LogStore
from moby_tui.screens.pages.logs import LogsPage
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.log_line import Times
from moby_tui.screens.widgets.log_stream import LogStream
from screens.conftest import Eventually, Open, there
from screens.fake_client import NOW, FakeEngine, as_client, summary
from screens.typing_keys import typed


def test_a_line_that_comes_late_is_never_told_of_another_container() -> None:
    """A container's lines wait for a frame, in which one may have gone to the next container."""
    gathering = Gathering(None, LogStore(), lambda: None)  # type: ignore[arg-type]
    seen: set[int] = set()
    for name in ("a", "b", "c", "a"):
        gathering.want({name: name})
        assert not seen & gathering.names.keys()
        seen |= gathering.names.keys()


def stamped(second: float, words: str) -> bytes:
    return f"{moments.rfc3339(int((NOW + second) * 1e9))} {words}\n".encode()


def talking() -> FakeEngine:
    engine = FakeEngine([
        summary(1, "web", labels={"com.docker.compose.project": "shop"}),
        summary(2, "database", labels={"com.docker.compose.project": "shop"}),
        summary(3, "数据库-🐳-with-a-name-that-is-very-long", "exited", "Exited (1) 2 minutes ago"),
    ])  # fmt: skip
    engine.logs["web"] = [(1, stamped(2 * number, f"INFO request {number} served")) for number in range(40)]
    engine.logs["web"].append((2, stamped(100, "ERROR \x1b]0;stolen\x07upstream \x1b[31mfailed\x1b[0m \u202eevil")))
    engine.logs["database"] = [
        (
            1,
            stamped(
                2 * number + 1,
                json.dumps({"level": "warn" if number % 10 == 0 else "info", "msg": f"query {number}", "ms": number}),
            ),
        )
        for number in range(40)
    ]
    engine.logs["数据库-🐳-with-a-name-that-is-very-long"] = [(1, stamped(5.5, "宽字符 " * 60))]
    return engine


def screen_of(app: Dashboard) -> list[str]:
    stream = app.screen.query_one(LogStream)
    return ["".join(segment.text for segment in stream.render_line(y)) for y in range(stream.size.height)]


def shown(stream: LogStream) -> list[str]:
    return [stream.store.line(stream.shown.number(place)).text.decode() for place in range(len(stream.shown))]


def subtitle(app: Dashboard) -> str:
    return str(app.screen.query_one("#list").border_subtitle)


async def go_to_logs(app: Dashboard, pilot: Pilot[None], eventually: Eventually, *words: str, lines: int) -> LogStream:
    app.go("logs", *words)
    await eventually(pilot, lambda: isinstance(app.screen, LogsPage) and isinstance(app.focused, LogStream))
    stream = app.screen.query_one(LogStream)
    await eventually(pilot, lambda: len(stream.store) >= lines)
    return stream


async def test_two_containers_in_one_stream_searched_filtered_and_written(
    open_dashboard: Open, eventually: Eventually, tmp_path: Path
) -> None:
    engine = talking()
    async with open_dashboard(lambda: engine, size=(100, 30)) as (app, pilot):
        stream = await go_to_logs(app, pilot, eventually, "project:shop", lines=81)
        texts = shown(stream)
        assert texts[0] == "INFO request 0 served" and '"query 0"' in texts[1] and texts[2] == "INFO request 1 served"
        assert texts[-1] == "ERROR upstream failed evil"
        assert "web" in screen_of(app)[0] or "database" in screen_of(app)[0]
        assert not any("\x1b" in row or "\u202e" in row for row in screen_of(app))

        await typed(app, pilot, "slash", *'"request 3"', "enter")
        assert stream.hit_at_cursor() == (11, 11, True)  # 3 and 30 to 39
        first = there(stream.cursor).text
        await typed(app, pilot, "N")
        assert there(stream.cursor).text == b"INFO request 38 served" and first == b"INFO request 39 served"
        await typed(app, pilot, "n", "n")
        assert there(stream.cursor).text == b"INFO request 3 served", "round the end"
        assert not stream.following and "f follow" in subtitle(app)

        await typed(app, pilot, "ampersand", *"level>=warn or ms>=38", "enter")
        assert [json.loads(text)["ms"] for text in shown(stream)[:-1]] == [0, 10, 20, 30, 38, 39]
        await typed(app, pilot, "escape")
        assert stream.hits is None and len(stream.shown) == 7
        await typed(app, pilot, "escape")
        assert len(stream.shown) == 81 and not app.screen.query_one("#log-filter", FilterBar).filled
        await typed(app, pilot, "ampersand", *"(a", "enter")
        assert "without a )" in str(app.screen.query_one("#log-filter .count").render())
        await typed(app, pilot, "escape")

        file = tmp_path / "out.log"
        await typed(app, pilot, "E")
        app.screen.query_one("#log-ask Input", Input).value = str(file)
        await typed(app, pilot, "enter")
        await eventually(pilot, file.exists)
        await eventually(pilot, lambda: len(file.read_text().splitlines()) == 81)
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text().splitlines()[0].endswith("Z web INFO request 0 served")

        await typed(app, pilot, "f", "v", *"ms", "enter")
        assert any(" 39 " in row and "query 39" in row and "{" not in row for row in screen_of(app))
        await typed(app, pilot, "v", "ctrl+u", "enter")
        assert stream.columns == ()
        order = []
        for _ in range(4):
            await typed(app, pilot, "t")
            order.append(stream.times)
        assert order == [Times.UTC, Times.RELATIVE, Times.OFF, Times.LOCAL]


async def test_marks_selection_runs_and_the_line_in_full(open_dashboard: Open, eventually: Eventually) -> None:
    engine = talking()
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        stream = await go_to_logs(app, pilot, eventually, "database", lines=40)
        await typed(app, pilot, "g", "space", "down", "down", "shift+down", "space")
        marked = [True, False, True, True, False]
        await eventually(pilot, lambda: [line.marked for line in map(stream.store.line, range(5))] == marked)
        await typed(app, pilot, "G", "m")
        assert stream.cursor_number == 0
        await typed(app, pilot, "y")
        assert [json.loads(line)["ms"] for line in app.clipboard.splitlines()] == [0, 2, 3]
        await typed(app, pilot, "enter")
        assert isinstance(app.screen, ShowLine)
        await typed(app, pilot, "escape")
        engine.emit("container", "die", "02" * 32, exitCode="3")
        await eventually(pilot, lambda: any("exit code 3" in text for text in shown(stream)))
        await typed(app, pilot, "left_square_bracket")
        assert b"database ended with exit code 3" in there(stream.cursor).text


async def test_it_stays_where_one_is_and_a_search_does_not_stick_to_the_next_container(
    open_dashboard: Open, eventually: Eventually
) -> None:
    engine = talking()
    engine.flood = True
    async with open_dashboard(lambda: engine, size=(90, 20)) as (app, pilot):
        stream = await go_to_logs(app, pilot, eventually, "web", lines=2000)
        await typed(app, pilot, "up", "up")
        place, count = stream.cursor_number, len(stream.store)
        top = screen_of(app)[0]
        await eventually(pilot, lambda: len(stream.store) > count + 2000)
        assert (stream.cursor_number, screen_of(app)[0]) == (place, top)
        assert stream.new_lines > 1000
        await eventually(pilot, lambda: " new · f follow" in subtitle(app))
        engine.flood_over = True
        await typed(app, pilot, "slash", *"flood", "enter")
        await typed(app, pilot, "c")
        await eventually(pilot, lambda: isinstance(app.screen, Chooser))
        await typed(app, pilot, *"database", "ctrl+a", "down")
        app.screen.query_one("SelectionList").deselect("01" * 32)
        app.screen._chosen.discard("01" * 32)
        await typed(app, pilot, "enter")
        await eventually(pilot, lambda: app.current_mode == "logs" and set(stream._names().values()) == {"database"})
        await eventually(pilot, lambda: len(stream.store) == 40)
        assert stream.hits is None and stream.following and not app.screen.query_one("#log-search", FilterBar).filled


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (220, 60)])
async def test_wide_characters_and_long_names_keep_the_rows_in_shape(
    open_dashboard: Open, eventually: Eventually, size: tuple[int, int]
) -> None:
    engine = talking()
    async with open_dashboard(lambda: engine, size=size) as (app, pilot):
        stream = await go_to_logs(app, pilot, eventually, "all", lines=82)
        await typed(app, pilot, "g")
        assert {cell_len(row) for row in screen_of(app)} == {stream.scrollable_content_region.width}
        if size[0] > 60:
            assert "".join(screen_of(app)).count("宽") == 60, "a long line is wrapped and whole"
        await typed(app, pilot, "w")
        assert {cell_len(row) for row in screen_of(app)} == {stream.scrollable_content_region.width}


async def test_marked_containers_are_read_together(open_dashboard: Open, eventually: Eventually) -> None:
    engine = talking()
    async with open_dashboard(lambda: engine, size=(100, 30)) as (app, pilot):
        await eventually(pilot, lambda: len(app.screen.targets()) == 1)
        await typed(app, pilot, "space", "L")
        await eventually(pilot, lambda: app.current_mode == "logs" and app.screen.query(LogStream))
        stream = app.screen.query_one(LogStream)
        await eventually(pilot, lambda: list(stream._names().values()) == ["database"] and len(stream.store) == 40)


async def test_an_empty_page_says_what_to_do(open_dashboard: Open, eventually: Eventually) -> None:
    async with open_dashboard(lambda: FakeEngine([]), size=(80, 24)) as (app, pilot):
        app.go("logs", "nobody")
        await eventually(pilot, lambda: app.current_mode == "logs" and app.screen.query(LogStream))
        await pilot.pause()
        assert "press c" in screen_of(app)[0]
        await typed(
            app, pilot, "n", "N", "G", "g", "up", "down", "space", "m", "y", "enter", "f", "escape", "right_square_bracket"
        )


async def test_the_runs_of_real_containers_in_one_stream(
    roots: tuple[Path, Path], busybox: str, engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.engine.engine import Engine
    from moby_tui.schema.container import HostConfig

    for name, words in (("first", "level=error msg=lost code=7"), ("second", "all is well")):
        config = ContainerCreate(image=busybox, cmd=["echo", words], host_config=HostConfig(network_mode="none"))
        identifier = (await engine.containers.create(config, name=name)).id
        for _ in range(2 if name == "first" else 1):
            waiter = await engine.containers.wait(identifier, condition="next-exit")
            await engine.containers.start(identifier)
            await waiter.result()
    async with open_dashboard(lambda: Engine.open(*roots), size=(120, 30)) as (app, pilot):
        stream = await go_to_logs(app, pilot, eventually, "all", lines=9)
        texts = shown(stream)
        assert [text for text in texts if not text.startswith("──")] == ["level=error msg=lost code=7"] * 2 + ["all is well"]
        assert texts.count("── first started ──") == 2 and texts.count("── first ended with exit code 0 ──") == 2
        await typed(app, pilot, "ampersand", *"code>=7", "enter")
        assert shown(stream) == ["level=error msg=lost code=7"] * 2


async def test_the_dashboard_begins_with_the_logs_of_the_named_containers(eventually: Eventually) -> None:
    """``moby logs --tui --tail 3 web database``."""
    engine = talking()
    words = ("tail:3", *list(engine.rows)[:2])
    app = Dashboard(as_client(lambda: engine), first=("logs", *words))
    async with app.run_test(size=(100, 30)) as pilot:
        await eventually(pilot, lambda: app.screen.query(LogStream) and len(app.screen.query_one(LogStream).store) >= 6)
        assert app.current_mode == "logs"
        assert [*app._pages] == ["logs"], "no other page was made"
        stream = app.screen.query_one(LogStream)
        assert sorted(shown(stream))[:2] == ["ERROR upstream failed evil", "INFO request 38 served"]
        assert len(stream.store) == 6
