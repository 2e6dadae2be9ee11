"""Locks between processes."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from moby_tui.engine.store.locks import FileLock, is_held
from moby_tui.errors import Unavailable

HOLDER = """
import sys, time
from moby_tui.engine.store.locks import FileLock
FileLock(sys.argv[1]).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert is_held(path) and not FileLock(path).try_acquire()
    with pytest.raises(Unavailable, match="locked by another process"):
        FileLock(path).acquire(timeout=0.05)
    holder.kill()
    holder.communicate()
    assert not is_held(path)
    lock = FileLock(path)
    assert lock.try_acquire() and lock.held and is_held(path)
    lock.release()
    assert not is_held(path) and not lock.held


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = FileLock(path), FileLock(path)
    first.acquire()
    waiting = threading.Thread(target=second.acquire)
    waiting.start()
    time.sleep(0.03)
    path.unlink()
    first.release()
    waiting.join(10)
    assert second.held and is_held(path)
    second.release()


def test_where_the_folder_is_gone_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "container"
    folder.mkdir()
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        FileLock(folder / "lock").acquire()


async def test_waiting_does_not_stop_the_loop_and_can_be_cancelled(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    await first.acquire_async()
    task = asyncio.create_task(second.acquire_async())
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    first.release()
    async with second:
        assert second.held
    assert not is_held(tmp_path / "lock")


def test_probing_does_not_make_a_try_fail(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    stop = threading.Event()

    def probe() -> None:
        while not stop.is_set():
            is_held(path)
            time.sleep(0.0005)

    prober = threading.Thread(target=probe)
    prober.start()
    try:
        for _ in range(200):
            lock = FileLock(path)
            assert lock.try_acquire()
            lock.release()
    finally:
        stop.set()
        prober.join()
