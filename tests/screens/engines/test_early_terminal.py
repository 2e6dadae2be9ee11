"""The terminal between the early frame and Textual's first picture: keys wait for the page, and every end gives it back."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from screens.engines.test_lost_terminal import LEFT, Run

NAME = b"early-bird"


@pytest.fixture
def begin(roots: tuple[Path, Path], busybox: str, cli: Any) -> Iterator[Callable[..., Run]]:
    """Starts the dashboard over one container, the engine in its process."""
    cli("create", "--name", NAME.decode(), busybox, "true")
    environment = {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), "COLORTERM": "truecolor"}
    runs: list[Run] = []

    def start(**more: str) -> Run:
        runs.append(Run(controlling=True, host=(), environment=environment | more))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()
        run.close()


def rest_of(run: Run) -> bytes:
    """What was written and not read yet."""
    text = b""
    with suppress(OSError):
        while piece := os.read(run.master, 65536):
            text += piece
    return text


async def test_keys_wait_for_the_page_and_the_screen_is_taken_once(begin: Callable[..., Run]) -> None:
    run = begin()
    screen = await run.see(NAME)
    assert b"\x1b[?1004h" not in screen  # Textual has not begun
    os.write(run.master, b"q")
    assert await run.end() == 0
    screen += rest_of(run)
    assert screen.count(b"\x1b[?1049h") == 1 and screen.count(b"\x1b[2J") == 0
    assert all(part in screen for part in LEFT) and termios.tcgetattr(run.slave) == run.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_gives_the_terminal_back(begin: Callable[..., Run], number: signal.Signals) -> None:
    run = begin()
    screen = await run.see(NAME)
    run.process.send_signal(number)
    assert await run.end() == 128 + number
    screen += rest_of(run)
    assert all(part in screen for part in LEFT) and termios.tcgetattr(run.slave) == run.before


async def test_ctrl_c_gives_the_terminal_back(begin: Callable[..., Run]) -> None:
    run = begin()
    screen = await run.see(NAME)
    os.write(run.master, b"\x03")
    assert await run.end() in (0, 130)  # the page has it as a key
    screen += rest_of(run)
    assert all(part in screen for part in LEFT) and termios.tcgetattr(run.slave) == run.before


async def test_a_fault_gives_the_terminal_back(begin: Callable[..., Run], tmp_path: Path) -> None:
    """A package that cannot be imported."""
    (tmp_path / "textual").mkdir()
    (tmp_path / "textual" / "__init__.py").write_text("raise RuntimeError('no such luck')")
    run = begin(PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    screen = await run.see(b"no such luck")
    assert NAME in screen and all(part in screen for part in LEFT)
    assert await run.end() == 1
    assert termios.tcgetattr(run.slave) == run.before
