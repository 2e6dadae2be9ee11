"""The bus: replay, then follow, without gap or repeat."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moby_tui.engine.events.bus import EventBus, Subscription
from moby_tui.engine.events.journal import Journal
from moby_tui.errors import InvalidArgument

from .test_journal import PUBLISHER


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[EventBus]:
    bus = EventBus(tmp_path)
    yield bus
    bus.close()


async def take(subscription: Subscription, count: int) -> list[str]:
    async with asyncio.timeout(20):
        return [(await anext(subscription)).actor.id for _ in range(count)]


async def rest(subscription: Subscription) -> list[str]:
    async with asyncio.timeout(20):
        return [event.actor.id async for event in subscription]


async def test_nothing_after_the_call_is_missed_even_before_the_first_step(tmp_path: Path, bus: EventBus) -> None:
    journal = Journal(str(tmp_path))
    early = bus.subscribe()
    journal.publish("container", "create", "1", {})
    stream = bus.stream()
    journal.publish("container", "create", "2", {})
    assert await take(early, 2) == ["1", "2"]
    assert await take(stream, 1) == ["2"]


async def test_since_replays_exactly_and_goes_on_live(tmp_path: Path, bus: EventBus) -> None:
    journal = Journal(str(tmp_path), max_bytes=400, max_segments=100)
    for number in range(20):
        journal.publish("container", "create", str(number), {})
    everything = bus.stream(since=1)
    events = [await anext(everything) for _ in range(20)]
    since = bus.stream(since=events[13].time_nano / 1e9)
    ids = await take(since, 5)
    assert ids[-1] in ("17", "18") and "13" in ids[:2]
    journal.publish("container", "create", "live", {})
    assert await take(everything, 1) == ["live"]
    assert (await take(since, 19 - int(ids[-1]) + 1))[-1] == "live"


async def test_since_as_a_double_never_passes_over_the_event_it_names(tmp_path: Path, bus: EventBus) -> None:
    journal = Journal(str(tmp_path))
    for number in range(60):
        journal.publish("container", "create", str(number), {})
    everything = bus.stream(since=1)
    for number, event in enumerate([await anext(everything) for _ in range(60)]):
        assert str(number) in await take(bus.stream(since=event.time_nano / 1e9), 1 if number == 59 else 2)


async def test_followers_see_all_of_many_processes_across_rotations(tmp_path: Path, bus: EventBus) -> None:
    followers = [bus.subscribe(filters={"type": ["container"]}) for _ in range(3)]
    tasks = [asyncio.create_task(take(follower, 600)) for follower in followers]
    arguments = ("200", "20000", "1000")
    publishers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", PUBLISHER, str(tmp_path), name, *arguments) for name in "abc"
    ]
    results = await asyncio.gather(*tasks)
    for publisher in publishers:
        assert await publisher.wait() == 0
    assert results[0] == results[1] == results[2]
    assert {name: results[0].count(name) for name in "abc"} == {"a": 200, "b": 200, "c": 200}


async def test_a_slow_reader_loses_no_event_of_the_segment_it_holds(tmp_path: Path, bus: EventBus) -> None:
    journal = Journal(str(tmp_path), max_bytes=600, max_segments=2)
    journal.publish("container", "create", "0", {})
    reader = bus.stream(since=1)
    assert await take(reader, 1) == ["0"]
    for number in range(1, 40):
        journal.publish("container", "create", str(number), {})
    ids = [int(id) for id in await take(reader, 1)]
    while ids[-1] != 39:
        ids += [int(id) for id in await take(reader, 1)]
    assert ids[:3] == [1, 2, 3] and ids == sorted(set(ids))


async def test_until_in_the_past_ends_after_the_replay(tmp_path: Path, bus: EventBus) -> None:
    journal = Journal(str(tmp_path))
    journal.publish("container", "create", "a", {})
    end = time.time() + 0.001
    await asyncio.sleep(0.01)
    journal.publish("container", "create", "b", {})
    assert await rest(bus.stream(since=1, until=end)) == ["a"]


async def test_since_the_epoch_and_until_alone_tell_all_that_is_past(tmp_path: Path, bus: EventBus) -> None:
    Journal(str(tmp_path)).publish("container", "create", "a", {})
    end = time.time() + 0.01
    assert await rest(bus.stream(since=0, until=end)) == ["a"]
    assert await rest(bus.stream(until=end)) == ["a"]
    assert await rest(bus.stream(until=1)) == []


async def test_until_in_the_future_ends_without_an_event(tmp_path: Path, bus: EventBus) -> None:
    stream = bus.stream(until=time.time() + 0.3)
    Journal(str(tmp_path)).publish("container", "create", "a", {})
    assert await rest(stream) == ["a"]


async def test_since_after_until_is_refused_at_the_call(bus: EventBus) -> None:
    with pytest.raises(InvalidArgument, match="cannot be after"):
        bus.stream(since=20, until=10)


async def test_an_unknown_filter_leaves_no_event_out(tmp_path: Path, bus: EventBus) -> None:
    Journal(str(tmp_path)).publish("container", "create", "a", {})
    assert await rest(bus.stream(until=time.time() + 0.01, filters={"colour": ["red"], "type": ["container"]})) == ["a"]


async def test_close_ends_a_waiting_reader_and_frees_what_was_shared(tmp_path: Path, bus: EventBus) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    first, second = bus.subscribe(), bus.subscribe()
    waiting = asyncio.create_task(rest(first))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    first.close()
    assert await waiting == []
    Journal(str(tmp_path)).publish("container", "create", "a", {})
    assert await take(second, 1) == ["a"]
    await second.aclose()
    bus.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_readers_are_woken_once_for_an_event(tmp_path: Path, bus: EventBus) -> None:
    """It is told by who publishes it, by the monitor and by inotify; with many readers each look costs."""
    journal = Journal(str(tmp_path), max_bytes=200)
    reader = bus.subscribe()
    for number in range(4):
        journal.publish("container", "create", str(number), {})
        bus.poke()
        assert reader._changed.is_set()
        assert await take(reader, 1) == [str(number)]
        bus.poke()
        assert not reader._changed.is_set()
