"""The processes that stand by, and the launcher, are killed or stopped: the next start takes others, and the old ones do nothing late."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import fault, process
from moby_tui.engine.kernel.cgroup import detect, files, freezer
from moby_tui.engine.runtime.client import launcher as launcher_client
from moby_tui.errors import MobyError, Unavailable
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    EndpointIpamConfig,
    EndpointSettings,
    HostConfig,
    NetworkingConfig,
)
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate

Cli = Callable[..., Any]
#: From here on the first process runs, so that it may be the program already.
LET_GO = "monitor.let go"
#: What a monitor passes from the order to the execution of the program.
POINTS = [
    "standby.order taken",
    "standby.order read",
    "monitor.bundle read",
    "monitor.log open",
    "monitor.locked",
    "monitor.cgroup made",
    "monitor.listening",
    "monitor.streams open",
    "monitor.created written",
    LET_GO,
]


def _children(pid: int, name: str) -> list[int]:
    """The living children of a process that have this name."""
    found = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{word}/comm").read_text().strip() == name and process.is_alive(int(word)):
                        found.append(int(word))
    return found


async def _launcher() -> tuple[int, int, int]:
    """The pids of this process's launcher, of the process that stands by to be a monitor, and of the first process made ahead."""
    async with asyncio.timeout(30):
        while True:
            for launcher in _children(os.getpid(), "moby-launcher"):
                for monitor in _children(launcher, "moby-standby"):
                    for first in _children(monitor, "moby-standby"):
                        return launcher, monitor, first
            await asyncio.sleep(0.01)


async def _create(engine: Engine, *command: str, **config: Any) -> str:
    asked = ContainerCreate(image="busybox", cmd=list(command), host_config=HostConfig(network_mode="none"), **config)
    return (await engine.containers.create(asked)).id


async def _says(engine: Engine, word: str, **config: Any) -> None:
    """A container that is attached to before its start, and ends well."""
    ident = await _create(engine, "echo", word, **config)
    stream = await engine.containers.attach(ident, AttachOptions())
    waiter = await engine.containers.wait(ident, condition="next-exit")
    await engine.containers.start(ident)
    assert b"".join([data async for _, data in stream.output()]).strip() == word.encode()
    stream.close()
    assert (await waiter.result(60)).status_code == 0


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_client, "ANSWER_SECONDS", 2.5)


class Freezer:
    """A control group of the test's own, of one version, that can be frozen: ``path`` is the same in its tree and to the engine."""

    def __init__(self, version: int) -> None:
        layout = detect()
        tree = layout.roots.get("freezer") if version == 1 else layout.unified and layout.unified.mountpoint
        if tree is None:
            pytest.skip(f"no tree of version {version} that freezes")
        self.path = f"/moby-test-{uuid.uuid4().hex[:8]}"
        self.folder = f"{tree}{self.path}"
        # a group below keeps it from being removed as an empty one
        os.makedirs(f"{self.folder}/below")
        self._switch, self._words = ("freezer.state", ("FROZEN", "THAWED")) if version == 1 else ("cgroup.freeze", ("1", "0"))

    def freeze(self, *pids: int) -> None:
        """Moves the processes into the group, and returns when they stand still."""
        for pid in pids:
            files.write(f"{self.folder}/cgroup.procs", pid)
        files.write(f"{self.folder}/{self._switch}", self._words[0])
        while not self.stands_still():
            time.sleep(0.01)

    def stands_still(self) -> bool:
        state = files.read(f"{self.folder}/{'cgroup.events' if self._switch == 'cgroup.freeze' else self._switch}")
        return "FROZEN" in state or "frozen 1" in state

    def thaw(self) -> None:
        files.write(f"{self.folder}/{self._switch}", self._words[1])

    def close(self) -> None:
        self.thaw()
        for pid in files.pids(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        files.remove(self.folder)


@pytest.fixture
def frozen() -> Iterator[Freezer]:
    """Of version 1, where there is one."""
    made = Freezer(1 if "freezer" in detect().roots else 2)
    yield made
    made.close()


@pytest.fixture
async def warm(engine: Engine, busybox: str) -> AsyncIterator[Engine]:
    """An engine that has a launcher, which stands by."""
    await _says(engine, "first")
    yield engine


# killed


@pytest.mark.parametrize("tty", [False, True])
async def test_killed_while_it_waits(warm: Engine, tty: bool) -> None:
    for which in (0, 1, 2):
        os.kill((await _launcher())[which], signal.SIGKILL)
        await _says(warm, f"after {which}", tty=tty)
        await _says(warm, "again", tty=tty)


@pytest.mark.parametrize("options", [("--rm",), ("--rm", "-i"), ("--rm", "--tty")])
@pytest.mark.parametrize("point", POINTS)
def test_killed_with_an_order(
    busybox: str, roots: tuple[Path, Path], tmp_path: Path, point: str, options: tuple[str, ...]
) -> None:
    """The first process that was made ahead, at every step of the start: another is made, and whoever is attached sees its output."""
    plan = tmp_path / "fault"
    plan.write_text(json.dumps({"point": point, "action": "kill", "victim": "moby-standby"}))
    env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), fault.VARIABLE: str(plan)}
    command = ["run", *options, "--network", "none", "busybox", "sh", "-c", "echo hello; exit 3"]
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-m", "moby_tui", *command],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        assert (tmp_path / "fault.fired").exists()
        if point != LET_GO or done.returncode != 128 + signal.SIGKILL:
            break
        # the process had become the program when the signal came, which is the program's end then, and no fault
        os.rename(tmp_path / "fault.fired", plan)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (3, "hello", "")
    assert [name for name in os.listdir(roots[0] / "containers")] == []


async def test_launcher_started_ahead_is_dead_before_the_first_order(engine: Engine, busybox: str) -> None:
    """The command line starts one while it imports; where that one has been killed, another is taken."""
    from moby_tui.engine.runtime.launcher import spawning

    spawning.prefork(spare=True)
    assert spawning._preforked is not None
    pid = spawning._preforked[1]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    await _says(engine, "first")


def test_monitor_killed_before_anybody_is_attached(busybox: str, roots: tuple[Path, Path], tmp_path: Path) -> None:
    """It has become the monitor: the start is done anew as long as the container has not begun."""
    for point in ("standby.order read", "monitor.bundle read", "monitor.cgroup made"):
        plan = tmp_path / "fault"
        plan.write_text(json.dumps({"point": point, "action": "kill"}))
        env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), fault.VARIABLE: str(plan)}
        done = subprocess.run(
            [sys.executable, "-m", "moby_tui", "run", "--rm", "--network", "none", "busybox", "echo", "hello"],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", ""), point
        assert (tmp_path / "fault.fired").exists()


# stopped


async def test_another_is_made_when_two_orders_wait(warm: Engine) -> None:
    """A start does not wait until the process of the one before it is ready."""
    launcher, stopped, _ = await _launcher()
    os.kill(stopped, signal.SIGSTOP)
    try:
        starts = [asyncio.create_task(_says(warm, f"both {number}")) for number in range(2)]
        done, _ = await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)
        assert [start.exception() for start in done] == [None]
        assert process.is_stopped(stopped)
    finally:
        os.kill(stopped, signal.SIGCONT)
    await asyncio.gather(*starts)
    assert (await _launcher())[0] == launcher


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_stopped_while_it_waits(short_patience: None, engine: Engine, busybox: str, which: int) -> None:
    """The launcher, the process that stands by, the first process made ahead: others are taken, for several starts at a time."""
    await _says(engine, "first")
    stopped = (await _launcher())[which]
    os.kill(stopped, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(_says(engine, f"after {number}") for number in range(3)))
    finally:
        with suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)
    await _says(engine, "at last")


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_late_one_does_nothing(short_patience: None, engine: Engine, busybox: str, frozen: Freezer, how: str) -> None:
    """The client is gone when the process that took no order goes on: the container does not start, and could be removed meanwhile."""
    ident = await _create(engine, "sleep", "600")
    await engine.containers.start(await _create(engine, "true"))
    launcher, monitor, _ = await _launcher()
    if how == "frozen":
        frozen.freeze(monitor, launcher)
    else:
        for pid in (monitor, launcher):
            os.kill(pid, signal.SIGSTOP)
    begun = asyncio.create_task(engine.containers.start(ident))
    await asyncio.sleep(0.3)
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    async with asyncio.timeout(30):
        # nobody holds its lock
        await engine.containers.rename(ident, "renamed")
        frozen.thaw()
        for pid in (monitor, launcher):
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(1)
        assert (await engine.containers.inspect(ident)).state.status == "created"
        await engine.containers.remove(ident, force=True)
    await _says(engine, "at last")


async def test_nobody_answers(short_patience: None, engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every launcher is stopped as soon as it is there: the start fails in one line, and the container can be started afterwards."""
    from moby_tui.engine.runtime.launcher import spawning

    connect = spawning.connect

    def stopped() -> Any:
        made = connect()
        os.kill(made[1], signal.SIGSTOP)
        return made

    ident = await _create(engine, "sleep", "600")
    with monkeypatch.context() as patch:
        patch.setattr(spawning, "connect", stopped)
        with pytest.raises(Unavailable, match="the launcher has not answered") as failed:
            await asyncio.wait_for(engine.containers.start(ident), 60)
        assert "\n" not in str(failed.value)
    await engine.containers.start(ident)


async def test_launchers_are_killed_one_after_another(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten of them do no harm; where it does not stop, the error says so and the container can be started afterwards."""
    from moby_tui.engine.runtime.launcher import spawning

    connect = spawning.connect
    made = []

    def killed() -> Any:
        made.append(connect())
        if len(made) <= limit:
            os.kill(made[-1][1], signal.SIGKILL)
        return made[-1]

    monkeypatch.setattr(spawning, "connect", killed)
    limit = 10
    await _says(engine, "at last")
    assert len(made) == 11
    limit = 1000
    os.kill((await _launcher())[0], signal.SIGKILL)
    ident = await _create(engine, "sleep", "600")
    with pytest.raises(Unavailable, match="launchers were killed one after another"):
        await engine.containers.start(ident)
    limit = 0
    await engine.containers.start(ident)


async def test_monitor_stopped_in_the_middle(
    short_patience: None, busybox: str, roots: tuple[Path, Path], tmp_path: Path
) -> None:
    """It has the descriptors and makes the container: it is killed, and the start is done anew."""
    asked, pid = await _run_until(roots, tmp_path, "monitor.cgroup made")
    os.kill(pid, signal.SIGSTOP)
    (tmp_path / "fault.go").touch()
    said, wrong = await asyncio.to_thread(asked.communicate, timeout=90)
    assert (asked.returncode, wrong) == (0, "")
    async with Engine.open(*roots) as engine:
        assert (await engine.containers.inspect(said.strip())).state.running
        await engine.containers.remove(said.strip(), force=True)


# frozen with a control group


@pytest.mark.parametrize("which", [0, 1])
async def test_frozen_while_it_waits(short_patience: None, engine: Engine, busybox: str, frozen: Freezer, which: int) -> None:
    """The launcher, the process that stands by: others are taken, for several starts at a time. After the thaw the late one ends, or it
    stands by again, if its launcher had made others for the starts that waited."""
    await _says(engine, "first")
    late = (await _launcher())[which]
    frozen.freeze(late)
    assert freezer.is_frozen(late)
    async with asyncio.timeout(60):
        await asyncio.gather(*(_says(engine, f"after {number}") for number in range(3)))
    frozen.thaw()
    await _says(engine, "at last")
    launcher, *_ = await _launcher()
    assert late in _children(launcher, "moby-standby") or await asyncio.to_thread(_has_ended, late)


async def test_frozen_in_the_middle(
    engine: Engine, busybox: str, roots: tuple[Path, Path], tmp_path: Path, frozen: Freezer
) -> None:
    """Each where it is waited for ten seconds, and so all at a time."""
    await asyncio.gather(
        *(_monitor_is_frozen(engine, roots, tmp_path / str(version), version) for version in (1, 2)),
        _first_process_made_ahead_is_frozen(engine),
        _first_process_is_born_frozen(engine, frozen),
        _first_process_is_stopped(engine, roots, tmp_path),
        _exec_is_frozen(engine),
    )


async def _monitor_is_frozen(engine: Engine, roots: tuple[Path, Path], folder: Path, version: int) -> None:
    """It has the descriptors and makes the container: it is killed, though its group stays frozen, and the start is done anew."""
    if version == 1 and "freezer" not in detect().roots:
        return
    folder.mkdir()
    group = Freezer(version)
    try:
        asked, pid = await _run_until(roots, folder, "monitor.cgroup made")
        group.freeze(pid)
        (folder / "fault.go").touch()
        said, wrong = await asyncio.to_thread(asked.communicate, timeout=90)
        assert (asked.returncode, wrong) == (0, "")
        assert await asyncio.to_thread(_has_ended, pid)
    finally:
        group.close()
    assert (await engine.containers.inspect(said.strip())).state.running


async def _first_process_made_ahead_is_frozen(engine: Engine) -> None:
    await _says(engine, "first")
    _, _, first = await _launcher()
    group = Freezer(1 if "freezer" in detect().roots else 2)
    try:
        group.freeze(first)
        await asyncio.wait_for(_says(engine, "after it"), 60)
        group.thaw()
        assert await asyncio.to_thread(_has_ended, first)
    finally:
        group.close()


async def _first_process_is_born_frozen(engine: Engine, group: Freezer) -> None:
    """Also the one that only makes the first process, on its way into a user namespace."""
    idents = [(await engine.containers.create(_in_group(group.path, how))).id for how in ({}, {"userns_mode": "auto"})]
    group.freeze()
    failed = await asyncio.gather(
        *(asyncio.wait_for(engine.containers.start(ident), 60) for ident in idents), return_exceptions=True
    )
    for ident, error in zip(idents, failed, strict=True):
        assert isinstance(error, MobyError) and "\n" not in str(error)
        assert f"the control group {group.path}/{ident} is frozen: thaw it" in str(error)
        assert not os.path.exists(f"{group.folder}/{ident}")
    group.thaw()
    for ident in idents:
        await engine.containers.start(ident)
        await engine.containers.remove(ident, force=True)


def _in_group(parent: str, how: dict[str, Any]) -> ContainerCreate:
    host = HostConfig(network_mode="none", cgroup_parent=parent, **how)
    return ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=host)


async def _first_process_is_stopped(engine: Engine, roots: tuple[Path, Path], folder: Path) -> None:
    """It joins the pid namespace of another container, whose processes can see it and send it signals."""
    await engine.containers.start(other := await _create(engine, "sleep", "600"))
    asked, monitor = await _run_until(roots, folder, "monitor.cloned", "--pid", f"container:{other}")
    [first] = _children(monitor, "moby-monitor")
    os.kill(first, signal.SIGSTOP)
    (folder / "fault.go").touch()
    said, wrong = await asyncio.to_thread(asked.communicate, timeout=90)
    assert (asked.returncode, said) == (125, "")
    assert "was stopped by a signal or a tracer before it became its program: start again" in wrong
    assert await asyncio.to_thread(_has_ended, first)


async def _exec_is_frozen(engine: Engine) -> None:
    """The group of a running container is frozen by somebody else: the monitor says so, and serves the next one after the thaw."""
    await engine.containers.start(ident := await _create(engine, "sleep", "600"))
    pid = (await engine.containers.inspect(ident)).state.pid
    group = Freezer(1 if "freezer" in detect().roots else 2)
    tree = group.folder.removesuffix(group.path)
    group.close()
    path = next(path for path in freezer_paths(pid) if os.path.exists(f"{tree}{path}"))
    group.folder = f"{tree}{path}"
    group.freeze()
    try:
        with pytest.raises(MobyError, match=f"the control group {path} is frozen: thaw it"):
            await asyncio.wait_for(_executes(engine, ident), 60)
    finally:
        group.thaw()
    await asyncio.wait_for(_executes(engine, ident), 60)


async def _executes(engine: Engine, ident: str) -> None:
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
    stream = await engine.containers.exec_start(execution, ExecStart())
    assert stream is not None and [data async for data in stream.output()] == []


def freezer_paths(pid: int) -> list[str]:
    """The control groups of a process."""
    return [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]


def _has_ended(pid: int) -> bool:
    try:
        return process.has_ended(pid, 20)
    except ProcessLookupError:
        return True


async def test_container_stopped_as_soon_as_it_runs(busybox: str, roots: tuple[Path, Path], tmp_path: Path) -> None:
    """The process made ahead has become the program by then: it is not taken for one that is held, killed, and started again."""
    asked, monitor = await _run_until(roots, tmp_path, "monitor.executed")
    [first] = _children(monitor, "sleep")
    os.kill(first, signal.SIGSTOP)
    (tmp_path / "fault.go").touch()
    said, wrong = await asyncio.to_thread(asked.communicate, timeout=90)
    assert (asked.returncode, wrong) == (0, "")
    async with Engine.open(*roots) as engine:
        state = (await engine.containers.inspect(said.strip())).state
        await engine.containers.remove(said.strip(), force=True)
    assert (state.running, state.pid) == (True, first)


async def test_a_stop_is_told_after_the_end(busybox: str, roots: tuple[Path, Path], tmp_path: Path) -> None:
    """Also where the monitor has written the end into the state, and has yet to publish it."""
    asked, _ = await _run_until(roots, tmp_path, "monitor.executed")
    (tmp_path / "fault.go").touch()
    said, _ = await asyncio.to_thread(asked.communicate, timeout=90)
    _arm(tmp_path, "monitor.end written")
    async with Engine.open(*roots) as engine:
        events = engine.events.stream(filters={"event": ["die", "stop"]})
        stop = asyncio.create_task(engine.containers.stop(said.strip(), timeout=0))
        await _fired(tmp_path)
        asyncio.get_running_loop().call_later(0.2, (tmp_path / "fault.go").touch)
        assert [(await asyncio.wait_for(anext(events), 60)).action for _ in range(2)] == ["die", "stop"]
        await stop
        await events.aclose()


@pytest.mark.parametrize("asked", ["--ip=10.9.8.2", "--network-alias=any"])
async def test_an_address_is_waited_for_while_its_last_owner_is_put_away(
    busybox: str, roots: tuple[Path, Path], tmp_path: Path, asked: str
) -> None:
    """As a published port. The network has a single address for containers."""
    async with Engine.open(*roots) as engine:
        pool = Ipam(config=[IpamPool(subnet="10.9.8.0/30")])
        network = await engine.networks.create(NetworkCreate(name="narrow", ipam=pool))
        first, _ = await _run_until(roots, tmp_path, "monitor.executed", asked, network="narrow")
        (tmp_path / "fault.go").touch()
        said, _ = await asyncio.to_thread(first.communicate, timeout=90)
        _arm(tmp_path, "monitor.end told")
        await engine.containers.stop(said.strip(), timeout=0)
        await _fired(tmp_path)
        place = EndpointSettings(ipam_config=EndpointIpamConfig(ipv4_address="10.9.8.2") if "--ip" in asked else None)
        made = await engine.containers.create(
            ContainerCreate(
                image=busybox,
                cmd=["sleep", "600"],
                host_config=HostConfig(network_mode="narrow"),
                networking_config=NetworkingConfig(endpoints_config={"narrow": place}),
            )
        )
        start = asyncio.create_task(engine.containers.start(made.id))
        await asyncio.sleep(0.3)
        assert not start.done()
        (tmp_path / "fault.go").touch()
        await start
        await engine.containers.remove(made.id, force=True)
        await engine.networks.remove(network.id)


def _arm(folder: Path, point: str) -> None:
    """The next process that passes the point waits there."""
    for left in ("fault.go", "fault.fired", "fault.hits"):
        (folder / left).unlink(missing_ok=True)
    (folder / "fault").write_text(json.dumps({"point": point, "action": "wait"}))


async def _fired(folder: Path) -> None:
    while not (folder / "fault.fired").exists():
        await asyncio.sleep(0.01)


async def _run_until(
    roots: tuple[Path, Path], folder: Path, point: str, *options: str, network: str = "none"
) -> tuple[subprocess.Popen[str], int]:
    """A command that runs a container of ``sleep``, and the pid of its monitor, which waits at a point for ``fault.go``."""
    plan, hits = folder / "fault", folder / "fault.hits"
    plan.write_text(json.dumps({"point": point, "action": "wait"}))
    env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), fault.VARIABLE: str(plan)}
    asked = subprocess.Popen(
        [sys.executable, "-m", "moby_tui", "run", "--network", network, "--rm", "-d", *options, "busybox", "sleep", "600"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (folder / "fault.fired").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return asked, int(next(line for line in reversed(hits.read_text().splitlines()) if line.endswith(point)).split()[0])


@pytest.fixture(autouse=True)
def no_stopped_process_stays() -> Iterator[None]:
    yield
    for pid in _children(os.getpid(), "moby-launcher"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
