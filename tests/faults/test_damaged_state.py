"""The files of one container are damaged, or the exec root was wiped while it ran: that one says so, the others go on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.runtime.client import monitor_process
from moby_tui.engine.store.state import State
from moby_tui.errors import MobyError, Unavailable
from moby_tui.schema.container import ContainerCreate, HostConfig, RestartPolicy
from moby_tui.schema.exec import ExecCreate, ExecStart

Cli = Callable[..., subprocess.CompletedProcess[str]]
Roots = tuple[Path, Path]


async def _start(engine: Engine, script: str = "exec sleep 600", **host: object) -> str:
    asked = ContainerCreate(image="busybox", cmd=["sh", "-c", script], host_config=HostConfig(**host))  # type: ignore[arg-type]
    ident = (await engine.containers.create(asked)).id
    await engine.containers.start(ident)
    return ident


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def _pipe(path: Path) -> None:
    """Who opens one to read waits for a writer."""
    path.unlink()
    os.mkfifo(path)


def _changed(**values: object) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}))

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 3),
    "empty": lambda path: os.truncate(path, 0),
    "zeros": lambda path: path.write_bytes(bytes(512)),
    "list": lambda path: path.write_text("[1]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "folder": _folder,
    "pipe": _pipe,
    "types": _changed(pid="1"),
    "truth for a number": _changed(exit_code=True),
    "no pid": _changed(pid=-1),
    "huge pid": _changed(pid=1 << 70),
    "no status": _changed(status="dancing"),
    "no time": _changed(started_at="yesterday"),
    "a later version": _changed(version=2),
    "no day": _changed(started_at="2024-99-99T00:00:00.000000000Z", finished_at="0000-00-00T99:00:00.000000000Z"),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damaged_state(engine: Engine, busybox: str, cli: Cli, name: str) -> None:
    """Of one that runs and of one that has ended: both are listed, never with years, and can be ended, started and removed."""
    runs, ended, other = await _start(engine), await _start(engine, "exit 3"), await _start(engine)
    await (await engine.containers.wait(ended)).result()
    await engine._parts.until_put_away(engine._parts.get(ended))
    for ident in (runs, ended):
        DAMAGES[name](engine.paths.container(ident).state)
    listed = dict(
        line.split(" ", 1) for line in cli("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Status}}").stdout.splitlines()
    )
    assert set(listed) == {runs, ended, other}
    assert "years" not in "".join(listed.values())
    assert listed[other].startswith("Up "), listed
    assert listed[runs].startswith("Up") and listed[ended].startswith("Exited"), listed
    if name != "no day":
        assert "damaged" in listed[runs] and "damaged" in listed[ended]
        assert "damaged" in (await engine.containers.inspect(runs)).state.error
        with pytest.raises(MobyError, match="damaged"):
            await engine.containers.exec_create(runs, ExecCreate(cmd=["true"]))
    await engine.containers.stop(runs, timeout=0)
    assert (await engine.containers.inspect(runs)).state.status == "exited"
    for ident in (runs, ended):
        await engine._parts.until_put_away(engine._parts.get(ident))
        await engine.containers.start(ident)
        assert (await engine.containers.inspect(ident)).state.error == ""
    assert (await (await engine.containers.wait(ended)).result()).status_code == 3
    await engine.containers.remove(runs, force=True)


async def test_state_of_a_newer_monitor(engine: Engine, busybox: str) -> None:
    """What it has beside is its own."""
    ident = await _start(engine)
    _changed(colour="blue", more=[1])(engine.paths.container(ident).state)
    found = (await engine.containers.inspect(ident)).state
    assert (found.status, found.error) == ("running", "")


async def test_damaged_state_of_an_exec(engine: Engine, busybox: str) -> None:
    """It says so in one line; others are made, looked at and ended with the container."""
    ident = await _start(engine)
    damages = [damage for name, damage in DAMAGES.items() if name in ("cut", "list", "types", "a later version")]
    execs = [await engine.containers.exec_create(ident, ExecCreate(cmd=["sleep", "600"])) for _ in range(len(damages) + 1)]
    for execution in execs:
        await engine.containers.exec_start(execution, ExecStart(detach=True))
    *damaged, whole = execs
    for execution, damage in zip(damaged, damages, strict=True):
        damage(engine.paths.container(ident).execs / f"{execution}.state")
        with pytest.raises(Unavailable, match=f"^state of exec {execution}: [^\n]+$"):
            await engine.containers.exec_inspect(execution)
    assert (await engine.containers.exec_inspect(whole)).running
    assert await engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
    os.kill(State.read(str(engine.paths.container(ident).state)).monitor, 9)
    await engine._parts.until_put_away(engine._parts.get(ident))
    await engine.containers.start(ident)
    assert not (await engine.containers.exec_inspect(whole)).running


@pytest.mark.parametrize("how", ["stop", "kill", "remove"])
async def test_damaged_state_and_a_monitor_that_does_not_answer(
    engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The monitor is found by the lock that it holds."""
    monkeypatch.setattr("moby_tui.engine.runtime.client.monitor.ANSWER_SECONDS", 0.5)
    ident = await _start(engine)
    files = engine.paths.container(ident)
    state = State.read(str(files.state))
    os.kill(state.monitor, 19)
    files.state.write_bytes(b"")
    assert monitor_process.find(files.monitor_lock) == state.monitor
    await {
        "stop": lambda: engine.containers.stop(ident, timeout=0),
        "kill": lambda: engine.containers.kill(ident),
        "remove": lambda: engine.containers.remove(ident, force=True),
    }[how]()
    assert not Path(f"/proc/{state.pid}/exe").exists()


async def test_damaged_files_beside_the_state(engine: Engine, busybox: str, cli: Cli) -> None:
    """Of its network, its health, its record: the list is whole, and it can be removed."""
    ident, other = await _start(engine), await _start(engine)
    files = engine.paths.container(ident)
    for path in (files.run / "network.json", files.health, files.data / "record.json"):
        for damage in (b"", b"\xff\xfe", b'{"endpoints": 3}'):
            path.unlink(missing_ok=True)
            path.write_bytes(damage)
            assert len(cli("ps", "-q").stdout.split()) == 2
        path.unlink()
        path.mkdir()
        assert len(cli("ps", "-q").stdout.split()) == 2
    await engine.containers.remove(ident, force=True)
    assert [container.id for container in await engine.containers.list()] == [other]


async def _wiped(roots: Roots, **host: Any) -> tuple[str, State]:
    async with Engine.open(*roots) as engine:
        ident = await _start(engine, **host)
        state = State.read(str(engine.paths.container(ident).state))
    for path in roots[1].iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return ident, state


@pytest.mark.parametrize("how", [["stop", "-t", "0"], ["kill"], ["rm", "-f"]])
@pytest.mark.parametrize("policy", ["no", "always"])
async def test_wiped_exec_root(roots: Roots, busybox: str, cli: Cli, how: list[str], policy: str) -> None:
    """It runs on, is listed, can be ended for good, and started again."""
    ident, state = await _wiped(roots, restart_policy=RestartPolicy(name=policy))
    assert cli("ps", "--format", "{{.Status}}").stdout.startswith("Up ")
    assert os.path.exists(f"/proc/{state.pid}/exe")
    done = cli("exec", ident, "true", check=False)
    assert done.returncode != 0 and "were removed while it ran" in done.stderr, done.stderr
    assert cli("run", "--rm", "busybox", "echo", "goes on").stdout == "goes on\n"
    assert cli(*how, ident).stdout.strip() == ident
    assert not os.path.exists(f"/proc/{state.pid}/exe")
    if how[0] != "rm":
        assert cli("ps", "-a", "--format", "{{.Status}}").stdout.startswith("Exited")
        cli("start", ident)
        assert cli("exec", ident, "echo", "again").stdout == "again\n"
        cli("rm", "-f", ident)
    assert not monitor_process.is_cut_off(state.monitor, roots[1] / "containers" / ident / "monitor.lock")


async def test_wiped_exec_root_under_an_open_engine(engine: Engine, busybox: str, roots: Roots) -> None:
    """A daemon goes on: what it starts then runs as before."""
    ident = await _start(engine)
    shutil.rmtree(roots[1])
    assert [container.id for container in await engine.containers.list()] == [ident]
    with pytest.raises(Unavailable, match="were removed while it ran"):
        await engine.containers.pause(ident)
    other = await _start(engine)
    assert (await engine.containers.inspect(other)).state.status == "running"
    await engine.containers.stop(ident, timeout=0)
    await engine.containers.start(ident)
    assert (await engine.containers.inspect(ident)).state.status == "running"


@pytest.mark.parametrize("wipe", ["socket", "all"])
async def test_wiped_exec_root_of_paused_containers(engine: Engine, busybox: str, roots: Roots, wipe: str) -> None:
    """Frozen processes take no signal: the monitor is ended with them. It is the same if its socket alone was removed."""
    idents = [await _start(engine) for _ in range(3)]
    for ident in idents[1:]:
        await engine.containers.pause(ident)
    if wipe == "all":
        shutil.rmtree(roots[1] / "containers")
    for ident, ask in zip(idents, (engine.containers.pause, engine.containers.unpause, engine.containers.unpause), strict=True):
        engine.paths.container(ident).socket.unlink(missing_ok=True)
        with pytest.raises(Unavailable, match="were removed while it ran"):
            await ask(ident)
    async with asyncio.timeout(60):
        await engine.containers.stop(idents[1], timeout=0)
        assert (await engine.containers.inspect(idents[1])).state.status == "exited"
        for ident in (idents[0], idents[2]):
            await engine.containers.remove(ident, force=True)
    assert [row.id for row in await engine.containers.list(all=True)] == [idents[1]]


async def test_wiped_exec_root_and_damaged_state(roots: Roots, busybox: str, cli: Cli) -> None:
    """The monitor is found by the name that its lock had."""
    ident, state = await _wiped(roots)
    (roots[0] / "containers" / ident / "state.json").write_bytes(b"{")
    assert "Up" in cli("ps", "--format", "{{.Status}}").stdout
    cli("rm", "-f", ident)
    assert not os.path.exists(f"/proc/{state.pid}/exe")
