"""Something has run out: one line says so, nothing is left, and it works again when there is more."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import leaks
from moby_tui.api.client.address import parse_host
from moby_tui.api.client.http import HttpClient
from moby_tui.engine.engine import Engine
from moby_tui.engine.events.bus import EventBus
from moby_tui.engine.events.journal import Journal
from moby_tui.engine.kernel import inotify, process
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.errors import MobyError
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, LogOptions
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.stream import Stream

MIB = 1024 * 1024
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def group() -> Iterator[Callable[[dict[str, object]], Callable[[], None]]]:
    """``group(resources)``: a control group with these limits (of the OCI specification); what it returns moves the caller into it."""
    made = open_cgroup(f"/moby-test-{os.getpid()}")

    def make(resources: dict[str, object]) -> Callable[[], None]:
        # the last to leave does so after the command line
        assert leaks.settled(lambda: [str(pid) for pid in made.pids()]) == []
        made.create(resources)
        return lambda: made.add(os.getpid())

    yield make
    made.kill()
    made.remove()


async def _start(engine: Engine, script: str = "echo begun; exec sleep 600", **host: object) -> str:
    settings = HostConfig(**({"network_mode": "none", "init": True} | host))  # type: ignore[arg-type]
    ident = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["sh", "-c", script], host_config=settings))).id
    await engine.containers.start(ident)
    return ident


def _monitor(engine: Engine, ident: str) -> int:
    return engine._parts.state(engine._parts.get(ident)).monitor


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def _at_rest(pid: int) -> int:
    """How many descriptors the monitor has once it has closed the connections of those who asked it something."""
    counts = [_descriptors(pid)]
    while len(counts) < 10 or len(set(counts[-10:])) > 1:
        await asyncio.sleep(0.02)
        counts.append(_descriptors(pid))
    return counts[-1]


def _refused_in_one_line(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 125, done
    assert done.stderr.startswith("moby: ") and done.stderr.count("\n") == 1, done.stderr


def _nothing_is_left(cli: Cli, roots: tuple[Path, Path]) -> None:
    assert leaks.settled(lambda: cli("ps", "-aq").stdout.split()) == []
    assert leaks.settled(lambda: leaks.of_test(roots[0].parent)) == []
    assert cli("run", "--rm", "busybox", "echo", "again").stdout == "again\n"


# -- descriptors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("some", [range(8, 16), range(16, 24), range(24, 36)], ids=str)
def test_command_line_with_few_descriptors(cli: Cli, busybox: str, roots: tuple[Path, Path], some: range) -> None:
    """Whichever step is the one that gets none. What is too few for one is enough in the end."""
    for limit in some:
        done = cli(
            *("run", "--rm", "-p", "80", "busybox", "echo", "hello"),
            check=False,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        )
        if done.returncode == 0:
            assert (done.stdout, done.stderr, limit > 16) == ("hello\n", "", True)
        else:
            _refused_in_one_line(done)
            assert "too many open files" in done.stderr.lower() and limit < 35
    _nothing_is_left(cli, roots)


async def test_monitor_with_few_descriptors(engine: Engine, busybox: str) -> None:
    """It refuses what it has none for, loses none, and the container lives."""
    ident = await _start(engine)
    monitor = _monitor(engine, ident)
    limits = resource.prlimit(monitor, resource.RLIMIT_NOFILE)
    before = await _at_rest(monitor)
    refused = 0
    for more in range(0, 72, 3):
        resource.prlimit(monitor, resource.RLIMIT_NOFILE, (before + more, limits[1]))
        try:
            execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
            stream = await asyncio.wait_for(engine.containers.exec_start(execution, ExecStart()), 20)
            assert stream is not None
            async for _ in stream.output():
                pass
            stream.close()
        except MobyError as error:
            assert "\n" not in str(error)
            refused += 1

        assert (await engine.containers.inspect(ident)).state.running
    resource.prlimit(monitor, resource.RLIMIT_NOFILE, limits)
    assert 0 < refused < 24
    assert await _at_rest(monitor) == before
    await engine.containers.stop(ident, timeout=0)


async def test_more_attach_than_a_monitor_has_descriptors(engine: Engine, busybox: str) -> None:
    """Those who come too late are told; when the others have left, all is as before."""
    ident = await _start(engine)
    monitor = _monitor(engine, ident)
    limits = resource.prlimit(monitor, resource.RLIMIT_NOFILE)
    resource.prlimit(monitor, resource.RLIMIT_NOFILE, (await _at_rest(monitor) + 8, limits[1]))
    streams = []
    with pytest.raises(MobyError) as refused:
        for _ in range(30):
            streams.append(await asyncio.wait_for(engine.containers.attach(ident, AttachOptions()), 20))
    assert "\n" not in str(refused.value) and 0 < len(streams) < 30
    for stream in streams:
        stream.close()
    (await _attached(engine, ident)).close()
    await engine.containers.kill(ident)
    assert (await engine.containers.inspect(ident)).state.exit_code == 137


async def _attached(engine: Engine, ident: str) -> Stream:
    """Those who have left are noticed one after another."""
    for _ in range(200):
        try:
            return await engine.containers.attach(ident, AttachOptions())
        except MobyError:
            await asyncio.sleep(0.02)
    raise AssertionError("nobody can attach any more")


# -- processes -------------------------------------------------------------------------------------------------------


def test_command_line_with_few_processes(
    cli: Cli, busybox: str, roots: tuple[Path, Path], group: Callable[[dict[str, object]], Callable[[], None]]
) -> None:
    """The launcher, what stands by, the monitor and the engine's threads are as many as its control group allows, or fewer."""
    served = 0
    for limit in range(1, 9):
        enter = group({"pids": {"limit": limit}})
        done = cli("run", "--rm", "-p", "80", "busybox", "echo", "hello", check=False, preexec_fn=enter)
        if done.returncode == 0:
            served += 1
            assert (done.stdout, done.stderr) == ("hello\n", "")
        else:
            _refused_in_one_line(done)
    assert 0 < served < 8
    _nothing_is_left(cli, roots)


# -- memory ----------------------------------------------------------------------------------------------------------


def test_command_line_with_little_memory(
    cli: Cli, busybox: str, roots: tuple[Path, Path], group: Callable[[dict[str, object]], Callable[[], None]]
) -> None:
    """Whichever of its processes the kernel kills, the next engine finds all in order."""
    codes = set()
    for limit in (8, 24, 32, 36, 40, 44, 256):
        enter = group({"memory": {"limit": limit * MIB, "swap": limit * MIB}})
        done = cli("run", "--rm", "-p", "80", "busybox", "echo", "hello", check=False, preexec_fn=enter)
        codes.add(done.returncode)
        assert done.stderr.count("\n") <= 1, done.stderr
        for ident in cli("ps", "-aq").stdout.split():
            cli("rm", "-f", ident)
    assert {0, -signal.SIGKILL} <= codes
    _nothing_is_left(cli, roots)


async def test_monitor_killed_for_want_of_memory(engine: Engine, busybox: str) -> None:
    """As any other kill of a monitor: its container has ended, and can be started again."""
    ident = await _start(engine)
    monitor = _monitor(engine, ident)
    narrow = open_cgroup(f"/moby-test-monitor-{os.getpid()}")
    narrow.create({"memory": {"limit": MIB, "swap": MIB}})
    try:
        narrow.add(monitor)
        waiter = await engine.containers.wait(ident)
        # its own pages were paid for elsewhere: what it takes from now on is too much
        streams = [asyncio.create_task(_take(engine, ident)) for _ in range(30)]
        ended = await asyncio.wait_for(waiter.result(), 60)
        await asyncio.gather(*streams, return_exceptions=True)
    finally:
        narrow.kill()
        narrow.remove()
    assert ended.status_code == 137
    assert not process.is_alive(monitor)
    await engine.containers.start(ident)
    assert (await engine.containers.inspect(ident)).state.running


async def _take(engine: Engine, ident: str) -> None:
    """Has the monitor hold what a container writes and nobody reads."""
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["yes"], attach_stdout=True))
    stream = await engine.containers.exec_start(execution, ExecStart())
    assert stream is not None
    stream.send(b"")
    await asyncio.sleep(30)


# -- watches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the user's limit of inotify instances, which is the machine's: it is not taken up here."""

    def refuse(_: inotify.Inotify) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify.Inotify, "__init__", refuse)


async def test_events_and_logs_without_watches(engine: Engine, busybox: str, no_watches: None) -> None:
    """They are slower, and whole."""
    other = EventBus(engine.paths.journal)
    waiting = other.subscribe(filters={"event": ["destroy"]})
    told = asyncio.ensure_future(anext(waiting))
    ident = await _start(engine, "echo one; sleep 1; echo two; exit 3")
    waiter = await engine.containers.wait(ident)
    assert [line async for _, line in engine.containers.logs(ident, LogOptions(follow=True))] == [b"one\n", b"two\n"]
    assert (await asyncio.wait_for(waiter.result(), 20)).status_code == 3
    await engine.containers.remove(ident)
    assert (await asyncio.wait_for(told, 20)).actor.id == ident
    other.close()


async def test_watches_are_taken_when_there_are_some_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(str(tmp_path))
    bus = EventBus(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(inotify.Inotify, "__init__", lambda _: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        reader = bus.subscribe()
        first = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0.3)
        assert not bus.is_watching()
        journal.publish("container", "create", "first", {})
        assert (await asyncio.wait_for(first, 20)).actor.id == "first"
    second = asyncio.ensure_future(anext(reader))
    while not bus.is_watching():
        await asyncio.sleep(0.01)
    journal.publish("container", "create", "second", {})
    assert (await asyncio.wait_for(second, 20)).actor.id == "second"
    bus.close()


# -- ports -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three_ports(own_network: None) -> None:
    """Three that the kernel chooses from (ip(7)), in a network namespace of the test's own."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40002")


async def test_no_port_is_left(three_ports: None, engine: Engine, busybox: str) -> None:
    made = []
    with pytest.raises(MobyError) as refused:
        for _ in range(4):
            made.append(await _published(engine))
            await engine.containers.start(made[-1])
    assert "\n" not in str(refused.value) and "port" in str(refused.value)
    assert not (await engine.containers.inspect(made[-1])).state.running
    await engine.containers.remove(made[0], force=True)
    await engine.containers.start(made[-1])
    assert (await engine.containers.inspect(made[-1])).state.running


async def _published(engine: Engine) -> str:
    host = HostConfig(network_mode="bridge", publish_all_ports=True)
    asked = ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=host, exposed_ports={"80/tcp": {}})
    return (await engine.containers.create(asked)).id


# -- the space of what is there while something runs ------------------------------------------------------------------


@pytest.fixture
def small_run(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "run"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
async def cramped(roots: tuple[Path, Path], busybox: str, small_run: Path) -> AsyncIterator[Engine]:
    """An engine whose exec root is small."""
    async with Engine.open(roots[0], small_run) as opened:
        yield opened
        for row in await opened.containers.list(all=True):
            await opened.containers.remove(row.id, force=True)


async def test_full_exec_root(cramped: Engine, small_run: Path) -> None:
    """What runs can be looked at and ended; what would start says why it cannot; afterwards it starts."""
    runs = await _start(cramped, network_mode="bridge")
    later = (await cramped.containers.create(ContainerCreate(image="busybox", cmd=["true"], host_config=HostConfig()))).id
    filler = small_run / "filler"
    _fill(filler)
    assert (await cramped.containers.inspect(runs)).state.running
    with pytest.raises(MobyError, match="no space left") as refused:
        await cramped.containers.start(later)
    assert "\n" not in str(refused.value)
    with pytest.raises(MobyError, match="no space left") as refused:
        await cramped.containers.exec_start(
            await cramped.containers.exec_create(runs, ExecCreate(cmd=["true"])), ExecStart(detach=True)
        )
    await cramped.containers.kill(runs)
    assert (await cramped.containers.inspect(runs)).state.exit_code == 137
    async with Engine.open(cramped.paths.data_root, small_run) as other:
        assert {row.state for row in await other.containers.list(all=True)} == {"created", "exited"}
        await other.containers.remove(runs)
    filler.unlink()
    await cramped.containers.start(later)
    assert (await (await cramped.containers.wait(later)).result()).status_code == 0


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (4096, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


# -- the daemon ------------------------------------------------------------------------------------------------------


def _daemon(roots: tuple[Path, Path], path: Path, enter: Callable[[], None]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "moby_tui", "daemon", "-H", f"unix://{path}"],
        env={**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=enter,
    )


async def test_daemon_with_few_processes(
    roots: tuple[Path, Path], busybox: str, group: Callable[[dict[str, object]], Callable[[], None]]
) -> None:
    """It says what it cannot do, serves what it can, and all of it when it may have more."""
    path = roots[1].parent / "s"
    daemon = _daemon(roots, path, group({"pids": {"limit": 64}}))
    narrow = open_cgroup(f"/moby-test-{os.getpid()}")
    try:
        assert daemon.stdout is not None and "listening" in daemon.stdout.readline()
        async with HttpClient(parse_host(f"unix://{path}")) as client:
            host = HostConfig(network_mode="bridge", init=True)
            asked = ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=host)
            idents = [(await client.containers.create(asked)).id for _ in range(8)]
            narrow.update({"pids": {"limit": 1}})
            with pytest.raises(MobyError) as refused:
                for ident in idents:
                    await asyncio.wait_for(client.containers.start(ident), 60)
            assert "\n" not in str(refused.value) and "internal error" not in str(refused.value)
            assert len(await client.containers.list(all=True)) == 8
            narrow.update({"pids": {"limit": 64}})
            for row in await client.containers.list(all=True):
                if row.state != "running":
                    await asyncio.wait_for(client.containers.start(row.id), 60)
            assert [row.state for row in await client.containers.list()] == ["running"] * 8
            for ident in idents:
                await asyncio.wait_for(client.containers.remove(ident, force=True), 60)
    finally:
        daemon.terminate()
        _, said = daemon.communicate(timeout=60)
    assert daemon.returncode == 0
    assert "Traceback" not in said, said


async def test_daemon_with_few_descriptors(roots: tuple[Path, Path], busybox: str) -> None:
    """Clients that hold them all are served as far as they go; when they have left, the daemon serves as before."""
    path = roots[1].parent / "s"
    daemon = _daemon(roots, path, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    try:
        assert daemon.stdout is not None and "listening" in daemon.stdout.readline()
        async with HttpClient(parse_host(f"unix://{path}")) as client:
            host = HostConfig(network_mode="none", init=True)
            asked = ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=host)
            ident = (await client.containers.create(asked)).id
            await client.containers.start(ident)
        held = []
        for _ in range(80):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(path))
            held.append(connection)
        await asyncio.sleep(0.5)
        for connection in held:
            connection.close()
        async with HttpClient(parse_host(f"unix://{path}")) as client:
            assert [row.state for row in await asyncio.wait_for(client.containers.list(), 30)] == ["running"]
            assert (await asyncio.wait_for(client.containers.inspect(ident), 30)).state.running
            await asyncio.wait_for(client.containers.remove(ident, force=True), 30)
    finally:
        daemon.terminate()
        _, said = daemon.communicate(timeout=60)
    assert daemon.returncode == 0
    assert "Traceback" not in said, said
