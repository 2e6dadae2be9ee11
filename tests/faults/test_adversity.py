"""The files are damaged, the machine was restarted, the clock jumps, resources have run out."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.store.state import State
from moby_tui.errors import MobyError
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.exec import ExecCreate, ExecStart

MIB = 1024 * 1024


async def _create(engine: Engine, *command: str) -> str:
    host = HostConfig(network_mode="none")
    return (await engine.containers.create(ContainerCreate(image="busybox", cmd=list(command), host_config=host))).id


async def _start(engine: Engine, *command: str) -> str:
    ident = await _create(engine, *command)
    await engine.containers.start(ident)
    return ident


async def _remove_all(engine: Engine) -> None:
    for row in await engine.containers.list(all=True):
        await engine.containers.remove(row.id, force=True, volumes=True)


def _one_line(error: BaseException) -> bool:
    return bool(str(error)) and "\n" not in str(error)


async def test_damaged_state_is_no_reason_to_lose_a_container(
    engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every byte: an engine tells what it can, and the container can be started and removed."""
    # nobody writes it meanwhile
    monkeypatch.setattr("moby_tui.engine.store.state._PATIENCE", (0.0,))
    ident = await _start(engine, "true")
    await (await engine.containers.wait(ident)).result()
    await engine._parts.until_put_away(engine._parts.get(ident))
    path = engine.paths.container(ident).state
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert (await engine.containers.inspect(ident)).state.status in ("created", "exited")
    for other in (b"[]", b'{"pid": "x"}', b'{"more": 1}', b"\xff\xfe", b"null", b'{"status": 3}'):
        path.write_bytes(other)
        assert (await engine.containers.inspect(ident)).state.status in ("created", "exited")
        assert len(await engine.containers.list(all=True)) == 1
    await engine.containers.start(ident)
    await (await engine.containers.wait(ident)).result()


async def test_damaged_state_of_a_running_container(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    """It is not run twice: it can be removed by force, and nothing of it is left."""
    ident = await _start(engine, "sleep", "60")
    pid = (await engine.containers.inspect(ident)).state.pid
    engine.paths.container(ident).state.write_bytes(b'{"sta')
    await engine.containers.remove(ident, force=True)
    assert not Path(f"/proc/{pid}/exe").exists()


async def test_damaged_journal(engine: Engine, busybox: str) -> None:
    """Whatever is in it, a container runs, and the next event is whole."""
    ident = await _create(engine, "true")
    (segment,) = engine.paths.journal.iterdir()
    for damage in (b"", b"\x00\xff not json", b'{"Type":"container","time', b"\n\n\n"):
        segment.write_bytes(damage)
        await engine.containers.start(ident)
        await (await engine.containers.wait(ident)).result()
    last = sorted(engine.paths.journal.iterdir())[-1].read_bytes().splitlines()[-1]
    assert json.loads(last)["Type"]


async def test_damaged_database(roots: tuple[Path, Path], busybox: str) -> None:
    for damage in (b"this is no database" * 100, b"SQLite format 3\0" + bytes(4096)):
        for path in roots[0].glob("moby.db*"):
            path.unlink()
        (roots[0] / "moby.db").write_bytes(damage)
        with pytest.raises(MobyError, match="cannot use database") as failed:
            async with Engine.open(*roots):
                pass
        assert _one_line(failed.value)


async def test_reboot(roots: tuple[Path, Path], busybox: str) -> None:
    """The exec root is gone, another boot has another id, and the pids are other processes'."""
    async with Engine.open(*roots) as engine:
        ident = await _start(engine, "sleep", "60")
        other = await _create(engine, "true")
        state = State.read(str(engine.paths.container(ident).state))
        await engine.containers.kill(ident)
        await engine._parts.until_put_away(engine._parts.get(ident))
        state.boot, state.pid, state.monitor = "another-boot", os.getpid(), os.getpid()
        state.write(str(engine.paths.container(ident).state))
    shutil.rmtree(roots[1])
    async with Engine.open(*roots) as engine:
        seen = await engine.containers.inspect(ident)
        assert (seen.state.status, seen.state.pid) == ("exited", 0)
        assert "machine went down" in seen.state.error
        for container in (ident, other):
            await engine.containers.start(container)
        await _remove_all(engine)


@pytest.mark.parametrize("boot", ["this", "another"])
@pytest.mark.parametrize("status", ["running", "paused", "restarting", "exited"])
async def test_strangers_with_the_pids_of_old_are_left_alone(engine: Engine, busybox: str, boot: str, status: str) -> None:
    """What a state file names may be any process by now: no command, and no settling, sends it a signal."""
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for end in ("stop", "kill", "remove"):
            ident = await _start(engine, "true")
            await (await engine.containers.wait(ident)).result()
            await engine._parts.until_put_away(engine._parts.get(ident))
            path = str(engine.paths.container(ident).state)
            state = State.read(path)
            state.status, state.pid, state.monitor = status, stranger.pid, stranger.pid
            state.boot = engine._parts.boot if boot == "this" else "another-boot"
            state.write(path)
            with suppress(MobyError):
                execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
                await engine.containers.exec_start(execution, ExecStart(detach=True))
            with suppress(MobyError):
                await (engine.containers.stop(ident, timeout=0) if end == "stop" else engine.containers.kill(ident))
            async with Engine.open(engine.paths.data_root, engine.paths.exec_root) as other:
                assert (await other.containers.inspect(ident)).state.status == "exited"
                await other.containers.remove(ident, force=True)
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.2)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("jump", [-86400.0 * 400, 86400.0 * 400])
async def test_clock_jumps(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    """Stop's patience, a wait and the events do not depend on what the clock says; a reader in another time is told no nonsense."""
    ident = await _start(engine, "sleep", "60")
    wall, nanoseconds = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + int(jump * 1e9))
    began = time.monotonic()
    await engine.containers.stop(ident, timeout=1)
    assert 0.9 < time.monotonic() - began < 10
    assert (await engine.containers.inspect(ident)).state.exit_code == 137
    await engine.containers.start(ident)
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
    assert await engine.containers.exec_start(execution, ExecStart(detach=True)) is None
    assert (await engine.containers.list())[0].status.startswith("Up ")
    await engine.containers.kill(ident)


async def test_out_of_processes(engine: Engine, busybox: str) -> None:
    """In a container that may make no more processes an exec fails with one line, and the container lives on."""
    host = HostConfig(network_mode="none", pids_limit=1)
    asked = ContainerCreate(image="busybox", cmd=["sleep", "60"], host_config=host)
    ident = (await engine.containers.create(asked)).id
    await engine.containers.start(ident)
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
    with pytest.raises(MobyError) as failed:
        stream = await engine.containers.exec_start(execution, ExecStart())
        assert stream is not None
        async for _ in stream.output():
            pass
        raise MobyError(f"exit code {(await engine.containers.exec_inspect(execution)).exit_code}")
    assert _one_line(failed.value)
    assert (await engine.containers.inspect(ident)).state.running


async def test_out_of_memory_at_the_start(engine: Engine, busybox: str) -> None:
    """The least memory that can be asked for is too little to run: the start fails or is told to have been killed."""
    host = HostConfig(network_mode="none", memory=6 * MIB)
    asked = ContainerCreate(image="busybox", cmd=["sh", "-c", "x=0123456789; while :; do x=$x$x; done"], host_config=host)
    ident = (await engine.containers.create(asked)).id
    stream = await engine.containers.attach(ident, AttachOptions())
    await engine.containers.start(ident)
    assert (await asyncio.wait_for((await engine.containers.wait(ident)).result(), 20)).status_code != 0
    stream.close()
