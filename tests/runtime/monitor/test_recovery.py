"""A process of ours is killed; whoever looks next puts right what it left."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.store.state import State
from moby_tui.schema.container import AttachOptions
from runtime.box import Box, cgroup_folders


def _monitor(box: Box, ident: str) -> int:
    return State.read(str(box.engine.paths.container(ident).state)).monitor


def _launchers() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            if "Name:\tmoby-launcher\n" in status and f"PPid:\t{os.getpid()}\n" in status and "State:\tZ" not in status:
                found.append(int(entry.name))
    return found


async def test_container_outlives_the_engine_that_started_it(roots: tuple[Path, Path], busybox: str) -> None:
    async with Engine.open(*roots) as first:
        ident = await Box(first, busybox).start("sh", "-c", "sleep 1; echo late; exit 4")
    async with Engine.open(*roots) as other:
        waiter = await other.containers.wait(ident)
        assert (await waiter.result()).status_code == 4
        await other.containers.remove(ident)


async def test_killed_launcher_is_replaced(box: Box) -> None:
    first = await box.start("sleep", "60")
    for pid in _launchers():
        os.kill(pid, signal.SIGKILL)
    assert (await box.run("echo", "still")).out == "still\n"
    assert (await box.engine.containers.inspect(first)).state.running


async def test_killed_monitor(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sleep", "60")
    pid = (await box.engine.containers.inspect(ident)).state.pid
    waiter = await box.engine.containers.wait(ident)
    os.kill(_monitor(box, ident), signal.SIGKILL)
    assert (await asyncio.wait_for(waiter.result(), 20)).status_code == 137
    seen = await box.engine.containers.inspect(ident)
    assert (seen.state.status, seen.state.exit_code) == ("exited", 137)
    assert "monitor was killed" in seen.state.error
    assert not cgroup_folders(ident)
    assert not Path(f"/proc/{pid}/exe").exists()
    await box.engine.containers.start(ident)
    assert (await box.engine.containers.inspect(ident)).state.running


async def test_next_engine_settles_what_a_killed_monitor_left(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sleep", "60")
    os.kill(_monitor(box, ident), signal.SIGKILL)
    await asyncio.sleep(0.2)
    async with Engine.open(*roots) as other:
        assert (await other.containers.inspect(ident)).state.status == "exited"
        assert not cgroup_folders(ident)


async def test_reboot(box: Box, roots: tuple[Path, Path]) -> None:
    """The pid of the state belongs to another boot, and so to another process."""
    ident = await box.create("sleep", "60")
    state = State(
        status="running", pid=os.getpid(), pid_started=1, boot="an-earlier-boot", started_at="2026-01-01T00:00:00.000000000Z"
    )
    state.write(str(box.engine.paths.container(ident).state))
    for marker in roots[1].glob("settled-*"):
        marker.unlink()
    async with Engine.open(*roots) as other:
        seen = await other.containers.inspect(ident)
    assert seen.state.status == "exited" and "machine went down" in seen.state.error


async def test_auto_removed_without_any_engine(roots: tuple[Path, Path], busybox: str) -> None:
    async with Engine.open(*roots) as first:
        ident = await Box(first, busybox).start("sh", "-c", "sleep 0.5", host={"auto_remove": True})
        data = first.paths.container(ident).data
    async with asyncio.timeout(20):
        while data.exists():
            await asyncio.sleep(0.05)
    async with Engine.open(*roots) as other:
        assert await other.containers.list(all=True) == []


@pytest.mark.parametrize("times", [3])
async def test_engine_killed_while_it_starts_containers(times: int, roots: tuple[Path, Path], busybox: str) -> None:
    import subprocess
    import sys

    code = """
import asyncio, sys
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig
async def main():
    async with Engine.open(sys.argv[1], sys.argv[2]) as engine:
        print("ready", flush=True)
        while True:
            asked = ContainerCreate(image="busybox", cmd=["sleep", "60"], host_config=HostConfig(network_mode="none"))
            made = await engine.containers.create(asked)
            await engine.containers.start(made.id)
asyncio.run(main())
"""
    for round in range(times):
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, roots)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        await asyncio.sleep(0.15 + 0.07 * round)
        process.kill()
        process.wait()
        process.stdout.close()
    async with Engine.open(*roots) as engine:
        for container in await engine.containers.list(all=True):
            assert container.state in ("created", "running")
            await engine.containers.remove(container.id, force=True)
        assert await engine.containers.list(all=True) == []
    assert list((roots[0] / "containers").iterdir()) == []


async def test_attached_reader_is_told_when_the_monitor_dies(box: Box) -> None:
    ident = await box.create("sleep", "60")
    stream = await box.engine.containers.attach(ident, AttachOptions())
    await box.engine.containers.start(ident)
    os.kill(_monitor(box, ident), signal.SIGKILL)
    assert [piece async for piece in stream.output()] == []
