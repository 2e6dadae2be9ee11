"""The dashboard ends with its terminal, whatever state both are in, and gives a terminal that is still there back in order."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

#: What ends the alternate screen and shows the cursor again.
LEFT = (b"\x1b[?1049l", b"\x1b[?25h")


#: An engine that is not there.
NOWHERE = ("-H", "unix:///run/no-engine.sock")


class Run:
    """``moby tui`` in a pseudo terminal. ``NOWHERE`` is told on the screen; without a host the engine of the roots is in its process."""

    def __init__(
        self,
        *,
        controlling: bool,
        errors: int | None = None,
        term: str = "xterm-256color",
        host: Sequence[str] = NOWHERE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.master, slave = pty.openpty()
        self.slave = os.dup(slave)
        self.before = termios.tcgetattr(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        line = [sys.executable, "-m", "moby_tui", *host, "tui"]
        # setsid -c makes the terminal the controlling one, so that its end is told by SIGHUP, too.
        head = ["setsid", "-c"] if controlling else ["setsid"]
        self.process = subprocess.Popen(
            [*head, *line],
            stdin=slave,
            stdout=slave,
            stderr=slave if errors is None else errors,
            env={**os.environ, "TERM": term, **(environment or {})},
        )
        os.close(slave)

    async def see(self, what: bytes) -> bytes:
        """Reads the screen until this is on it."""
        os.set_blocking(self.master, False)
        seen = b""
        for _ in range(1200):
            try:
                seen += os.read(self.master, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.05)
            except OSError:
                break
            if what in seen:
                return seen
        raise AssertionError(f"{what!r} is not in {seen[-2000:]!r}")

    def close(self) -> None:
        """The terminal goes away."""
        for name in ("slave", "master"):
            if (number := getattr(self, name)) >= 0:
                setattr(self, name, -1)
                os.close(number)

    async def end(self) -> int:
        """The exit code; fails if the program does not end."""
        for _ in range(200):
            if (code := self.process.poll()) is not None:
                return code
            await asyncio.sleep(0.05)
        raise AssertionError("the dashboard did not end")


@pytest.fixture
def start() -> Iterator[type[Run]]:
    runs: list[Run] = []

    def begin(*, controlling: bool = False, errors: int | None = None, term: str = "xterm-256color") -> Run:
        runs.append(Run(controlling=controlling, errors=errors, term=term))
        return runs[-1]

    yield begin  # type: ignore[misc]
    for run in runs:
        run.process.kill()
        run.process.wait()
        run.close()


@pytest.mark.parametrize("controlling", [True, False], ids=["hangup", "no-signal"])
async def test_it_ends_when_its_terminal_is_closed(start: Any, controlling: Any) -> None:
    run = start(controlling=controlling, errors=None if controlling else subprocess.DEVNULL)  # without, it is drawn on the output
    await run.see(b"engine lost")
    run.close()
    assert await run.end() == 129


async def test_a_terminal_that_writes_line_after_line_is_refused(start: Any) -> None:
    run = start(term="dumb")
    assert b"\x1b" not in await run.see(b"TERM=dumb")
    assert await run.end() == 1


async def test_a_signal_at_the_first_paint_and_then_the_terminal_goes(start: Any) -> None:
    run = start()
    await run.see(b"\x1b[?1049h")
    run.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    run.close()
    assert await run.end() in (129, 143)


async def test_a_signal_gives_the_terminal_back(start: Any) -> None:
    run = start()
    await run.see(b"engine lost")
    run.process.send_signal(signal.SIGTERM)
    screen = await run.see(LEFT[1])
    assert await run.end() == 143
    assert LEFT[0] in screen and termios.tcgetattr(run.slave) == run.before


async def test_a_terminal_that_nobody_reads_does_not_hold_it(start: Any) -> None:
    """Its output is full: the program waits for room, and ends all the same, with the terminal as it was."""
    run = start()
    await run.see(b"\x1b[?1049h")
    for size in range(60):
        fcntl.ioctl(run.slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 120 + size, 0, 0))
        run.process.send_signal(signal.SIGWINCH)
        await asyncio.sleep(0.03)
    run.process.send_signal(signal.SIGTERM)
    assert await run.end() == 143
    assert termios.tcgetattr(run.slave) == run.before
