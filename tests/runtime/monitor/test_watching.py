"""A monitor is killed while engines are open that only look on: one of them settles it at once, whoever had started the container."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine import engine as engines
from moby_tui.engine.containers.start import restarting
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import fault
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig, RestartPolicy
from moby_tui.schema.event import Event

Cli = Callable[..., Any]
_SECONDS = 30


@pytest.fixture
async def onlookers(engine: Engine, roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Engine]]:
    """Three engines on the same roots, which watch already."""
    monkeypatch.setattr(engines, "_WATCH_AFTER_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Engine.open(*roots)) for _ in range(3)]


def _run(cli: Cli, *options: str) -> str:
    return str(cli("run", "-d", "--network", "none", *options, "busybox", "sleep", "600").stdout).strip()


def _kill_monitor(engine: Engine, ident: str) -> None:
    os.kill(engine._parts.state(engine._parts.get(ident)).monitor, signal.SIGKILL)


async def _events(engine: Engine, ident: str, last: str) -> list[Event]:
    """Those of the container up to the first of this name."""
    seen = []
    async with asyncio.timeout(_SECONDS):
        async for event in engine.events.stream(since=1, filters={"container": [ident]}):
            seen.append(event)
            if event.action == last:
                return seen
    raise AssertionError(last)


async def test_its_end_is_told_and_written_down(onlookers: list[Engine], busybox: str, cli: Cli) -> None:
    ident = await asyncio.to_thread(_run, cli)
    _kill_monitor(onlookers[0], ident)
    end = (await _events(onlookers[0], ident, "die"))[-1]
    assert end.actor.attributes["exitCode"] == "137"
    async with asyncio.timeout(_SECONDS):
        while (state := onlookers[0]._parts.state(onlookers[0]._parts.get(ident))).status != "exited":
            await asyncio.sleep(0.01)
    assert (state.exit_code, state.pid) == (137, 0) and state.finished_at > state.started_at
    (row,) = await onlookers[1].containers.list(all=True)
    assert row.status.startswith("Exited (137) ") and row.status.endswith(("second ago", "seconds ago"))
    # by one of them alone
    await asyncio.sleep(0.5)
    cli("rm", ident)
    actions = [event.action for event in await _events(onlookers[2], ident, "destroy")]
    assert actions.count("die") == 1


async def test_it_is_started_again(onlookers: list[Engine], busybox: str, cli: Cli) -> None:
    """As its policy says, by one of them, and as often as its monitor is killed."""
    ident = await asyncio.to_thread(_run, cli, "--restart", "always")
    for count in (1, 2):
        before = onlookers[0]._parts.state(onlookers[0]._parts.get(ident))
        _kill_monitor(onlookers[0], ident)
        async with asyncio.timeout(_SECONDS):
            while True:
                state = onlookers[0]._parts.state(onlookers[0]._parts.get(ident))
                if state.status == "running" and state.monitor != before.monitor:
                    break
                await asyncio.sleep(0.01)
        assert state.restart_count == count
    await onlookers[0].containers.remove(ident, force=True)
    actions = [event.action for event in await _events(onlookers[0], ident, "destroy")]
    assert actions.count("start") == 3


async def test_it_had_begun_when_its_monitor_was_killed(
    engine: Engine, busybox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start fails, and the container has run: its policy counts for that end, as for any other."""
    plan = tmp_path / "fault"
    plan.write_text(json.dumps({"point": "monitor.running written", "action": "kill"}))
    monkeypatch.setenv(fault.VARIABLE, str(plan))
    host = HostConfig(network_mode="none", restart_policy=RestartPolicy(name="always"))
    asked = ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=host)
    ident = (await engine.containers.create(asked)).id
    with pytest.raises(MobyError, match="died while starting"):
        await engine.containers.start(ident)
    state = engine._parts.state(engine._parts.get(ident))
    assert (state.status, state.exit_code) == ("exited", 137)
    assert restarting.is_due(engine._parts.get(ident), state, at_boot=False)


async def test_it_is_removed_that_goes_with_its_end(onlookers: list[Engine], busybox: str, cli: Cli) -> None:
    ident = await asyncio.to_thread(_run, cli, "--rm")
    _kill_monitor(onlookers[0], ident)
    actions = [event.action for event in await _events(onlookers[0], ident, "destroy")]
    assert actions.count("die") == actions.count("destroy") == 1
    assert not onlookers[0].paths.container(ident).data.exists()
    with pytest.raises(NotFound):
        await onlookers[1].containers.inspect(ident)


async def test_it_was_started_before_whoever_looks_on(
    engine: Engine, busybox: str, cli: Cli, roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await asyncio.to_thread(_run, cli)
    monkeypatch.setattr(engines, "_WATCH_AFTER_SECONDS", 0.0)
    async with Engine.open(*roots) as late:
        await asyncio.sleep(0.2)
        _kill_monitor(late, ident)
        assert (await _events(late, ident, "die"))[-1].actor.attributes["exitCode"] == "137"


async def test_what_was_executed_in_it_has_ended(onlookers: list[Engine], busybox: str, cli: Cli) -> None:
    """Its exit code is that of a process that was killed: ``moby exec`` asks until it is known."""
    ident = await asyncio.to_thread(_run, cli)
    asked = asyncio.create_task(asyncio.to_thread(cli, "exec", ident, "sh", "-c", "echo begun >/begun; sleep 600", check=False))
    async with asyncio.timeout(_SECONDS):
        while "/begun" not in [change.path for change in await onlookers[0].containers.changes(ident)]:
            await asyncio.sleep(0.02)
    _kill_monitor(onlookers[0], ident)
    done = await asyncio.wait_for(asked, _SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (137, "", "")
