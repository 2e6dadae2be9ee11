"""A simulated day of the dashboard: what its memory is after each of twelve parts. ``python -m bench.day [HOURS]``.

The engine is the tests' (``tests/screens/fake_client.py``), in this process. The event loop's clock jumps to the next timer whenever nothing
else is to be done, so that a day takes minutes. Every bound of the dashboard is reached: each eight seconds one of 50 containers ends, starts
and is renamed, and another one comes and goes (74,000 events, 10,500 removed containers a day), the one under the cursor writes 1,200 lines
a minute, and what is seen is sampled every twenty seconds.
"""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from moby_tui.schema.container import LogOptions
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.stats import CpuStats, CpuUsage, MemoryStats, Stats
from moby_tui.screens.app import Dashboard
from screens.fake_client import FakeContainers, FakeEngine, as_client, summary

_HOUR = 3600.0
_PARTS = 12
_CONTAINERS = 50
_CHANGE_EVERY, _SAMPLE_EVERY, _WRITE_EVERY = 8.0, 20.0, 60.0
_LINES = 1200
#: Small: what takes the time is drawing.
_SIZE = (80, 16)
#: The last third of the day may add this much to the resident memory; bytes.
_FLAT = 3 << 20


class _Clock:
    """Seconds since the program began: real ones, and those that were jumped over."""

    def __init__(self) -> None:
        self.jumped = 0.0
        self._real = time.monotonic
        self._wall = time.time

    def monotonic(self) -> float:
        return self._real() + self.jumped

    def time(self) -> float:
        return self._wall() + self.jumped


class _Jumping(selectors.DefaultSelector):
    """Where the loop would wait for a timer, the clock goes there at once."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self._clock.jumped += timeout
        return ready


class _Containers(FakeContainers):
    """Their figures and lines come for ever."""

    async def stats(self, ref: str, *, stream: bool = True, **options: Any) -> AsyncIterator[Stats]:
        used = 0
        while ref in self.engine.rows:
            used += hash((ref, used)) % 10**9
            yield Stats(
                read="", preread="",
                cpu_stats=CpuStats(cpu_usage=CpuUsage(total_usage=used), system_cpu_usage=int(time.monotonic() * 1e9), online_cpus=2),
                memory_stats=MemoryStats(usage=used % 2**30, limit=2**31),
            )  # fmt: skip
            await asyncio.sleep(_SAMPLE_EVERY)

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        number = 0
        while options.follow and ref in self.engine.rows:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            for _ in range(_LINES):
                number += 1
                yield 1, f"{stamp}.{number % 10**9:09}Z request {number} {'.' * 70}\n".encode()
            await asyncio.sleep(_WRITE_EVERY)


class _Engine(FakeEngine):
    def __init__(self) -> None:
        super().__init__([summary(number, f"box-{number:02}") for number in range(_CONTAINERS)])
        self.containers = _Containers(self)
        self.told = 0

    def tell(self, action: str, identifier: str, **attributes: str) -> None:
        """An event of now."""
        self.told += 1
        now = time.time()
        event = Event(
            type="container", action=action, actor=EventActor(id=identifier, attributes=attributes),
            time=int(now), time_nano=int(now * 1e9),
        )  # fmt: skip
        for queue in self.queues:
            queue.put_nowait(event)

    async def live(self) -> None:
        """One change after the other: one ends, starts and is renamed, and one comes and goes."""
        number = _CONTAINERS
        while True:
            await asyncio.sleep(_CHANGE_EVERY)
            number += 1
            row = self.rows[summary(number % _CONTAINERS, "").id]
            name = row.names[0].lstrip("/")
            self.tell("die", row.id, name=name, exitCode="1")
            self.tell("start", row.id, name=name)
            row.names = [f"/box-{number % _CONTAINERS:02}-{number}"]
            self.tell("rename", row.id, name=row.names[0].lstrip("/"), oldName=name)
            passing = summary(0, f"job-{number}")
            passing.id = f"{number:064x}"
            self.rows[passing.id] = passing
            self.tell("create", passing.id, name=f"job-{number}")
            self.tell("start", passing.id, name=f"job-{number}")
            await asyncio.sleep(0.2)
            del self.rows[passing.id]
            self.tell("die", passing.id, name=f"job-{number}", exitCode="0")
            self.tell("destroy", passing.id, name=f"job-{number}")


def _resident() -> int:
    """Bytes; proc_pid_statm(5)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _day(hours: float) -> list[int]:
    engine = _Engine()
    app = Dashboard(as_client(lambda: engine))
    sizes: list[int] = []
    async with app.run_test(size=_SIZE):
        living = asyncio.create_task(engine.live())
        for part in range(_PARTS):
            await asyncio.sleep(hours * _HOUR / _PARTS)
            gc.collect()
            sizes.append(_resident())
            print(
                f"{(part + 1) * hours / _PARTS:5.1f} h  {sizes[-1] / 2**20:6.1f} MiB",
                f"{len(gc.get_objects()):7,} objects  {engine.told:7,} events  {len(app.session.events):6,} remembered",
                flush=True,
            )
        living.cancel()
    return sizes


def main() -> int:
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
    clock = _Clock()
    time.time, time.monotonic = clock.time, clock.monotonic
    loop = asyncio.SelectorEventLoop(_Jumping(clock))
    loop.time = clock.monotonic  # type: ignore[method-assign]
    asyncio.set_event_loop(loop)
    sizes = loop.run_until_complete(_day(hours))
    grown = sizes[-1] - sizes[_PARTS * 2 // 3 - 1]
    print(f"grown in the last third: {grown / 2**20:.1f} MiB")
    return int(grown > _FLAT)


if __name__ == "__main__":
    sys.exit(main())
