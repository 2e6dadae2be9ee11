"""Nothing that comes from an engine reaches the terminal raw: each page and dialog is drawn with hostile texts everywhere."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import msgspec
import pytest
from msgspec import structs
from rich.segment import Segment
from textual.widgets import Input

from moby_tui.errors import NotFound
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.system import Check
from moby_tui.screens import text
from moby_tui.screens.actions.user_commands import UserCommand
from moby_tui.screens.app import Dashboard
from moby_tui.screens.preferences import Preferences
from screens.conftest import Eventually, Open
from screens.fake_client import NOW, FakeEngine

#: Escape sequences of both kinds, C1, line ends, bidirectional marks, zero width, a byte that is no UTF-8, and Textual's markup.
TAIL = (
    "\x1b]0;owned\x07\x1b[31m\x1b[2J\r\n\t\x9b31m\u009d0;owned\u009c\u202eabc\u2066d\u200b\u200f\u061c\u00ad\ufeff\u2028\u2029"
    "\U000e0041\x00\x7f\udc9b[@click=app.hostile]m[/][/nothing][red][[$x]"
)
#: Fields that must mean something, or pages would be empty.
KEPT = {"state", "platform"}
#: What is drawn may be none of these: controls, formats, halves of surrogate pairs, and ends of lines and paragraphs.
FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def poison(value: Any) -> Any:
    """The same, with ``TAIL`` behind each text."""
    if isinstance(value, str):
        return value + TAIL if value else value
    if isinstance(value, msgspec.Struct):
        fields = {name: poison(getattr(value, name)) for name in value.__struct_fields__ if name not in KEPT}
        return structs.replace(value, **fields)
    if isinstance(value, dict):
        return {poison(key): poison(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(poison(one) for one in value)
    return value


def heal(value: Any) -> Any:
    """The same without ``TAIL``."""
    if isinstance(value, str):
        return value.replace(TAIL, "")
    if isinstance(value, (list, tuple)):
        return type(value)(heal(one) for one in value)
    if isinstance(value, dict):
        return {heal(key): heal(one) for key, one in value.items()}
    return value


class Refusal:
    """The answer to a question that the engine does not know: an error with a poisoned text, awaited or iterated."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __await__(self) -> Any:
        raise NotFound(poison("no such route"))
        yield

    def __aiter__(self) -> Refusal:
        return self

    async def __anext__(self) -> Any:
        raise NotFound(poison("no such route"))


class Hostile:
    """An engine, or a family of it, all of whose answers are poisoned."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        try:
            found = getattr(self._inner, name)
        except AttributeError:
            return Refusal
        if not callable(found):
            return Hostile(found)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = found(*heal(arguments), **heal(options))
            if inspect.isasyncgen(answer):
                return self._each(answer)
            return self._one(answer)

        return call

    async def _one(self, answer: Any) -> Any:
        return poison(await answer)

    async def _each(self, answer: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for one in answer:
            yield poison(one)

    async def __aenter__(self) -> Hostile:
        return self

    async def __aexit__(self, *exc: object) -> None: ...


def segments(app: Dashboard) -> Iterator[Segment]:
    """All that is drawn of the screen in front."""
    for strip in app.screen._compositor.render_strips():
        yield from strip


def raw(app: Dashboard) -> list[str]:
    """What of the drawing no terminal may get, and what a click would do that is none of ours."""
    found = []
    for segment in segments(app):
        if any(unicodedata.category(one) in FORBIDDEN for one in segment.text):
            found.append(ascii(segment.text))
        if segment.style and "hostile" in str(segment.style.meta):
            found.append(f"click: {segment.style.meta}")
    return found


#: A page, and the keys that open a dialog there.
OPENED = """
containers: ctrl+e, P, asterisk d, ctrl+p, i J
images: t
volumes: d
topology:
logs: c
events:
overview:
problems:
projects:
system: p enter
"""


async def test_nothing_from_an_engine_reaches_the_terminal_raw(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    logged = b"2026-09-21T10:00:00.000000000Z " + TAIL.encode("utf-8", "surrogatepass").replace(b"\n", b" ") + b"\xff\n"
    engine.logs = {name: [(1, logged), (2, b"x" * 10_000 + logged)] for name in ("web", "database")}
    engine.past = [
        Event(type="container", action="die", actor=EventActor(id=next(iter(engine.rows)), attributes={"name": "web"}), time=NOW)
    ]
    for row in engine.rows.values():
        row.labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": row.names[0][1:]}
    engine.checks = [Check(severity="error", about="kernel", message="old", advice="a newer one")]
    own = UserCommand(name="own", title="[/own]", run="echo {prompt:[/word]} {choice:a|b}", page="containers", key="ctrl+t")
    hostile = Hostile(engine)
    async with open_dashboard(lambda: hostile, Preferences(commands=[own]), size=(80, 24)) as (app, pilot):
        for line in OPENED.split("\n")[1:-1]:
            mode, _, keys = line.partition(":")
            app.go(mode)
            await eventually(pilot, lambda mode=mode: app.screen.is_mounted and getattr(app.screen, "mode", "") == mode)
            await pilot.pause()
            assert raw(app) == [], mode
            for one in keys.split(","):
                await pilot.press(*one.split())
                await pilot.pause()
                assert raw(app) == [], (mode, one)
                while app.screen.is_modal or isinstance(app.focused, Input):
                    await pilot.press("escape")
                    await pilot.pause()
                if getattr(app.screen, "mode", "") != mode:
                    app.go(mode)
                    await eventually(pilot, lambda mode=mode: getattr(app.screen, "mode", "") == mode)
                for notice in list(app._notifications):
                    told = (notice.message + notice.title).replace("\n", "")
                    assert not any(unicodedata.category(one) in FORBIDDEN for one in told)
                app.clear_notifications()


def test_no_character_that_is_not_seen_is_left() -> None:
    assert text.clean(f"a{TAIL}") == "a31m0;ownedabcd\ufffd[@click=app.hostile]m[/][/nothing][red][[$x]"
    assert text.clean("日本 e\u0301 ❤\ufe0f") == "日本 e\u0301 ❤\ufe0f"
    assert text.clean_lines("a\tb\x1b[201~\nrm -rf /\r\n") == "a\tb\nrm -rf /\n"
    assert text.drawn("a\x1b[31m\xadb") == "a[31m\ufffdb"


async def test_a_fault_is_told_without_what_variables_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    app, printed = Dashboard(lambda: cast("Any", FakeEngine())), []

    def fail() -> None:
        secret = "hunter2"
        raise RuntimeError(f"a name{TAIL}"[: len(secret) + 20])

    monkeypatch.setattr(app.error_console, "print", lambda told, **_: printed.append(str(told)))
    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            app.call_later(fail)
            for _ in range(100):
                await pilot.pause(0.02)
    (told,) = printed
    assert "in fail" in told and "RuntimeError: a name" in told and told.endswith("containers run on")
    assert "hunter2" not in told and "\x1b" not in told
