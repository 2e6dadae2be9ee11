"""A monitor that is stopped (SIGSTOP) answers nothing: what only looks works on, what asks it says so, what ends a container ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

import leaks
from moby_tui import connect
from moby_tui.api.client.protocol import Client
from moby_tui.engine.containers import execs
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import process, unix_socket
from moby_tui.engine.protocol import control
from moby_tui.engine.runtime.client import attachment, monitor_process
from moby_tui.engine.runtime.client import monitor as monitor_client
from moby_tui.errors import Conflict, MobyError, Unavailable
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    ContainerUpdate,
    HostConfig,
    LogOptions,
    RestartPolicy,
)
from moby_tui.schema.exec import ExecCreate, ExecStart


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_client, "ANSWER_SECONDS", 0.5)


@pytest.fixture
async def stopped(engine: Engine, busybox: str) -> AsyncIterator[str]:
    """A running container whose monitor is stopped."""
    ident = await _start(engine)
    _stop_monitor(engine, ident)
    yield ident


async def _start(engine: Engine, script: str = "echo begun; exec sleep 600", *, open_stdin: bool = False, **host: Any) -> str:
    asked = ContainerCreate(
        image="busybox",
        cmd=["sh", "-c", script],
        open_stdin=open_stdin,
        host_config=HostConfig(**{"network_mode": "none", "init": True, **host}),
    )
    ident = (await engine.containers.create(asked)).id
    await engine.containers.start(ident)
    async for _ in engine.containers.logs(ident, LogOptions(follow=True)):
        break
    return ident


def _monitor(engine: Engine, ident: str) -> int:
    return engine._parts.state(engine._parts.get(ident)).monitor


def _stop_monitor(engine: Engine, ident: str) -> int:
    pid = _monitor(engine, ident)
    os.kill(pid, signal.SIGSTOP)
    return pid


def _nothing_runs(ident: str, *pids: int) -> bool:
    """Soon: a process that was killed lets go of its lock a moment before it has ended."""

    def left() -> list[str]:
        groups = [str(path) for parent in leaks._parents() if (path := parent / ident).exists()]
        return groups + [str(pid) for pid in pids if process.is_alive(pid)]

    return not leaks.settled(left)


async def _quick(work: Awaitable[object]) -> object:
    return await asyncio.wait_for(work, 20)


async def test_looking_needs_no_monitor(engine: Engine, stopped: str) -> None:
    assert [row.state for row in await engine.containers.list()] == ["running"]
    assert (await engine.containers.inspect(stopped)).state.running
    assert [data async for _, data in engine.containers.logs(stopped, LogOptions())] == [b"begun\n"]
    assert any("sleep" in " ".join(row) for row in (await engine.containers.top(stopped)).processes)
    async for sample in engine.containers.stats(stopped, stream=False, one_shot=True):
        assert sample.pids_stats.current
    async with Engine.open(engine.paths.data_root, engine.paths.exec_root) as other:
        assert (await other.containers.inspect(stopped)).state.running


async def test_what_asks_it_says_that_it_does_not_answer(engine: Engine, stopped: str) -> None:
    """And is not carried out afterwards, when the monitor goes on: nobody waits for it any more."""
    containers = engine.containers
    execution = await containers.exec_create(stopped, ExecCreate(cmd=["touch", "/late"]))
    attempts: list[Awaitable[object]] = [
        containers.exec_start(execution, ExecStart()),
        containers.attach(stopped, AttachOptions()),
        containers.pause(stopped),
        containers.resize(stopped, height=10, width=10),
        containers.update(stopped, ContainerUpdate(memory=64 << 20, memory_swap=64 << 20)),
        containers.kill(stopped, signal="USR1"),
        containers.kill(stopped, signal="TERM"),
        containers.stop(stopped, timeout=-1),
    ]
    for attempt in attempts:
        with pytest.raises(Unavailable, match=r"has not answered for 0\.5 s") as failed:
            await _quick(attempt)
        assert "\n" not in str(failed.value)
    os.kill(_monitor(engine, stopped), signal.SIGCONT)
    # it answers in turn: this is after all that came before
    await _quick(containers.exec_start(await containers.exec_create(stopped, ExecCreate(cmd=["true"])), ExecStart(detach=True)))
    assert (await containers.inspect(stopped)).state.status == "running"
    assert "/late" not in [change.path for change in await containers.changes(stopped)]


async def test_one_that_waits_may_go_on(engine: Engine, stopped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor that was only late has lost nothing."""
    monkeypatch.setattr(monitor_client, "ANSWER_SECONDS", 30.0)
    asked = asyncio.create_task(engine.containers.pause(stopped))
    await asyncio.sleep(0.2)
    os.kill(_monitor(engine, stopped), signal.SIGCONT)
    await _quick(asked)
    assert (await engine.containers.inspect(stopped)).state.paused


@pytest.mark.parametrize("how", ["remove", "kill", "stop", "paused remove", "paused kill"])
async def test_what_ends_a_container_ends_its_monitor(engine: Engine, busybox: str, how: str) -> None:
    ident = await _start(engine, restart_policy=RestartPolicy(name="always"))
    pid = (await engine.containers.inspect(ident)).state.pid
    if how.startswith("paused"):
        await engine.containers.pause(ident)
    monitor = _stop_monitor(engine, ident)
    if how.endswith("remove"):
        await _quick(engine.containers.remove(ident, force=True))
        assert await engine.containers.list(all=True) == []
    else:
        await _quick(engine.containers.stop(ident, timeout=0) if how == "stop" else engine.containers.kill(ident))
        seen = (await engine.containers.inspect(ident)).state
        assert (seen.status, seen.exit_code) == ("exited", 137)
        # it was ended by hand: its policy does not start it again, whoever looks next
        async with Engine.open(engine.paths.data_root, engine.paths.exec_root) as other:
            assert not (await other.containers.inspect(ident)).state.running
    assert _nothing_runs(ident, monitor, pid)


async def test_one_that_goes_with_its_end(engine: Engine, busybox: str) -> None:
    ident = await _start(engine, auto_remove=True)
    _stop_monitor(engine, ident)
    await _quick(engine.containers.stop(ident, timeout=0))
    assert await engine.containers.list(all=True) == []
    assert not engine.paths.container(ident).data.exists()


async def test_removed_by_force_while_it_is_put_away(engine: Engine, busybox: str) -> None:
    """The container has ended, and its monitor is stopped before all is gone that was there for it."""
    ident = await _start(engine, "echo begun; exec sleep 600")
    monitor = _monitor(engine, ident)
    lock = engine.paths.container(ident).monitor_lock
    # the end as the monitor writes it, while the monitor still holds its lock
    record = engine._parts.get(ident)
    state = engine._parts.state(record)
    os.kill(monitor, signal.SIGSTOP)
    pid = state.pid
    state.status, state.pid, state.exit_code = "exited", 0, 3
    state.write(str(engine.paths.container(ident).state))
    assert monitor_process.is_alive(lock)
    await _quick(engine.containers.remove(ident, force=True))
    assert _nothing_runs(ident, monitor, pid)


async def test_more_wait_than_the_kernel_lets_wait(engine: Engine, stopped: str) -> None:
    """Connecting must not block the event loop: other containers are served meanwhile."""
    path = str(engine.paths.container(stopped).socket)
    waiting: list[socket.socket] = []
    try:
        with pytest.raises(BlockingIOError):
            while True:
                waiting.append(unix_socket.connect(path, 0.0))
        asked = asyncio.create_task(engine.containers.pause(stopped))
        assert (await asyncio.wait_for(engine.containers.list(), 0.4))[0].state == "running"
        with pytest.raises(Unavailable):
            await _quick(asked)
    finally:
        for connection in waiting:
            connection.close()


async def test_exec_that_meets_a_pause(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for while it was running, and heard when it is paused: the monitor refuses, and does not wait for a frozen process."""
    ident = await _start(engine)
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
    await engine.containers.pause(ident)
    monkeypatch.setattr(execs, "_check_running", lambda *_: None)
    with pytest.raises(Conflict, match="is paused"):
        await _quick(engine.containers.exec_start(execution, ExecStart()))
    await _quick(engine.containers.unpause(ident))


async def test_command_line_says_it_in_one_line(engine: Engine, stopped: str, roots: tuple[Path, Path]) -> None:
    env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "moby_tui", "pause", stopped], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "has not answered for 10 s" in done.stderr and "moby rm -f" in done.stderr and done.stderr.count("\n") == 1


async def test_stranger_with_the_pid_of_a_monitor_is_not_killed(engine: Engine, busybox: str, tmp_path: Path) -> None:
    """Who holds no lock on the file is no monitor, whatever was written down; nor is one that holds another container's."""
    lock = tmp_path / "monitor.lock"
    lock.touch()
    ident = await _start(engine)
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for pid in (stranger.pid, _monitor(engine, ident), 0, -1, 1 << 22):
            assert not monitor_process.end(pid, lock)
        assert not monitor_process.end(stranger.pid, engine.paths.container(ident).monitor_lock)
        assert stranger.poll() is None and process.is_alive(_monitor(engine, ident))
        assert monitor_process.end(_monitor(engine, ident), engine.paths.container(ident).monitor_lock)
    finally:
        stranger.kill()
        stranger.wait()
    with pytest.raises(MobyError):
        await engine.containers.pause(ident)


async def test_exec_that_is_not_answered_has_an_exit_code(engine: Engine, stopped: str) -> None:
    """As dockerd, that of a command that cannot be executed; whoever waits for it need not wait for ever."""
    ident = await engine.containers.exec_create(stopped, ExecCreate(cmd=["true"]))
    with pytest.raises(Unavailable):
        await engine.containers.exec_start(ident, ExecStart())
    seen = await engine.containers.exec_inspect(ident)
    assert (seen.running, seen.exit_code) == (False, 126)


async def test_monitor_is_stopped_after_it_has_answered(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked to kill, and never tells of the end: it is asked again, and ended."""
    ident = await _start(engine)
    monitor = _monitor(engine, ident)
    pid = (await engine.containers.inspect(ident)).state.pid
    ask = Parts.request

    async def answered(*asked: Any) -> None:
        monkeypatch.setattr(Parts, "request", ask)
        for victim, number in ((monitor, signal.SIGSTOP), (pid, signal.SIGKILL)):
            os.kill(victim, number)

    monkeypatch.setattr(Parts, "request", answered)
    await _quick(engine.containers.remove(ident, force=True))
    assert _nothing_runs(ident, monitor, pid)


async def test_over_the_socket_of_a_daemon(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    """All that is asked of monitors which are stopped, at once: it is answered with one line, and works after they go on."""
    at = f"unix://{roots[1]}/s"
    program = [sys.executable, "-m", "moby_tui"]
    where = [f"--data-root={roots[0]}", f"--exec-root={roots[1]}"]
    daemon = subprocess.Popen([*program, *where, "daemon", "-H", at], stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        await asyncio.to_thread(daemon.stdout.readline)
        ends = [await _start(engine) for _ in range(3)]
        ident = await _start(engine, "echo begun; read line; exit 3", open_stdin=True)
        for one in (*ends, ident):
            _stop_monitor(engine, one)
        async with connect(at) as client:
            waiter = await client.containers.wait(ident)
            following = asyncio.create_task(_lines(client, ident))
            await _looks(client, ident)
            await asyncio.gather(
                _says_so(*program, "-H", at, "exec", ident, "true", code=126),
                _says_so(*program, "-H", at, "attach", "--no-stdin", ident, code=1),
                _is_told(client, ident),
                client.containers.kill(ends[0]),
                client.containers.stop(ends[1]),
                client.containers.remove(ends[2], force=True),
            )
            states = {row.id: row.state for row in await client.containers.list(all=True)}
            assert states == {ends[0]: "exited", ends[1]: "exited", ident: "running"}
            os.kill(_monitor(engine, ident), signal.SIGCONT)
            assert not following.done()
            await client.containers.resize(ident, height=10, width=10)
            await _looks(client, ident)
            stream = await client.containers.attach(ident, AttachOptions(stdin=True))
            stream.send(b"end\n")
            assert [data async for _, data in stream.output()] == []
            stream.close()
            assert (await asyncio.wait_for(waiter.result(), 60)).status_code == 3
            assert await asyncio.wait_for(following, 60) == [b"begun\n"]
    finally:
        daemon.terminate()
        await asyncio.to_thread(daemon.communicate)


async def _lines(client: Client, ident: str) -> list[bytes]:
    return [line async for _, line in client.containers.logs(ident, LogOptions(follow=True))]


async def _looks(client: Client, ident: str) -> None:
    """What needs no monitor."""
    assert (await client.containers.inspect(ident)).state.running
    assert [data async for _, data in client.containers.logs(ident, LogOptions())] == [b"begun\n"]
    assert (await client.containers.top(ident)).processes
    async for sample in client.containers.stats(ident, stream=False, one_shot=True):
        assert sample.pids_stats.current


async def _is_told(client: Client, ident: str) -> None:
    """A status of 503, and why."""
    containers = client.containers
    attempts: list[Awaitable[object]] = [
        containers.attach(ident, AttachOptions()),
        containers.resize(ident, height=10, width=10),
        containers.kill(ident, signal="TERM"),
        containers.stop(ident, timeout=-1),
    ]
    for failed in await asyncio.gather(*attempts, return_exceptions=True):
        assert isinstance(failed, Unavailable) and "has not answered for 10 s" in str(failed), failed


async def _says_so(*line: str, code: int) -> None:
    done = await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert (done.returncode, said.count("\n")) == (code, 1) and "has not answered for 10 s" in said, done


# whoever asks


async def _serve_late(folder: Path, seconds: float) -> bytes:
    """What a client that is starved gets of a container that it attached to before the start: it says how it attaches so much later."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(attachment.attach_request(AttachOptions()).encode_line() + b"\1")
        answer = await reader.readline()
        got.set_result(await reader.read() if answer else b"")
        writer.close()

    server = await asyncio.start_unix_server(called, sock=unix_socket.listen(str(folder / "late")))
    try:
        return await got
    finally:
        server.close()


async def test_a_starved_client_is_heard(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attached before the start it misses no output; one that asks a running container is answered, and holds nobody up meanwhile."""
    monkeypatch.setattr(monitor_client, "ANSWER_SECONDS", 30.0)
    asked = ContainerCreate(image="busybox", cmd=["echo", "begun"], host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(asked)).id
    late = asyncio.create_task(_serve_late(engine.paths.container(ident).attachments, 1.5))
    running = await _start(engine)
    reader, writer = await asyncio.open_unix_connection(
        sock=unix_socket.connect(str(engine.paths.container(running).socket), 5.0)
    )
    # served though another, which came first, has not asked yet
    execution = await engine.containers.exec_create(running, ExecCreate(cmd=["true"]))
    await engine.containers.exec_start(execution, ExecStart(detach=True))
    await engine.containers.start(ident)
    assert b"begun" in await late
    writer.write(control.Resize(height=1, width=1).encode_line())
    assert control.Answer.decode(await reader.readline(), "answer").error is None
    writer.close()
