"""Keys typed faster than pages are made, in the middle of resizes: each acts in its turn, on the page it was typed for."""

from __future__ import annotations

import random

import pytest
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump

from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.key_order import LOST, KeyOrder
from moby_tui.screens.pages.registry import PAGES
from screens.conftest import Eventually, Open, there
from screens.fake_client import FakeEngine


async def test_the_last_of_many_page_keys_wins_and_then_all_is_quiet(
    open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {entry.key: entry.mode for entry in PAGES if entry.key.isdigit()}
    handled = 0
    dispatch = MessagePump._dispatch_message

    async def counted(self: MessagePump, message: Message) -> None:
        nonlocal handled
        handled += 1
        await dispatch(self, message)

    monkeypatch.setattr(MessagePump, "_dispatch_message", counted)
    choose = random.Random(5)
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        for _ in range(10):
            last = choose.choice(list(pages))
            app.simulate_key(last)
            if choose.random() < 0.3:
                app._driver._size = size = Size(choose.choice((60, 80, 120, 200)), choose.choice((20, 24, 60)))
                app.post_message(events.Resize(size, size))
        await eventually(pilot, lambda: not app._keys.busy and app.current_mode == pages[last])
        await eventually(pilot, lambda: app.screen.size == app.size)

        async def few() -> bool:
            nonlocal handled
            handled = 0
            await pilot.pause(0.2)
            return handled < 40

        assert any([await few() for _ in range(20)]), "something draws for ever"


async def test_a_key_acts_on_the_page_on_which_it_was_typed(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    async with open_dashboard(lambda: engine) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        for key in ("2", "1", "x"):
            app.simulate_key(key)
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Stop database?" in str(app.screen.query_one("#question").render())


async def test_a_key_after_the_end_of_a_line_is_the_lists(open_dashboard: Open, eventually: Eventually) -> None:
    """The line was left a message later, and got the key too."""
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        for key in ("slash", *"data", "enter", "x"):
            app.simulate_key(key)
        await eventually(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query("#question"))
        assert "Stop database?" in str(app.screen.query_one("#question").render())


async def test_two_commands_are_typed_before_the_first_line_stands(open_dashboard: Open, eventually: Eventually) -> None:
    """Both ends of a line went into the first line, which was closed twice: that ended the dashboard."""
    async with open_dashboard(lambda: FakeEngine()) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen)
        for key in ("colon", *"images", "enter", "colon", *"volumes", "enter"):
            app.simulate_key(key)
        await eventually(pilot, lambda: app.current_mode == "volumes" and not app._keys.busy)


def test_keys_wait_for_the_one_before_but_not_for_one_that_is_lost() -> None:
    now, called = 0.0, []
    order = KeyOrder(lambda: called.append(1), lambda: now)
    for key in "abc":
        order.take(events.Key(key, key))
    first = there(order.next())
    assert first.key == "a" and order.next() is None
    order.done(first)
    assert called == [1]
    second = there(order.next())
    second.stop()
    assert called == [1, 1] and there(order.next()).key == "c"
    order.take(events.Key("d", "d"))
    assert order.next() is None
    now = LOST + 1
    assert there(order.next()).key == "d"
