"""Restart policies: the decisions alone, and containers that end again and again."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.containers import boot
from moby_tui.engine.containers.start import restarting, resuming
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.protocol import order
from moby_tui.engine.runtime.client import monitor_process
from moby_tui.engine.runtime.monitor.restart_policy import Restarts
from moby_tui.engine.store.records.containers import RestartPolicy as KeptPolicy
from moby_tui.engine.store.state import State
from moby_tui.errors import Conflict, InvalidArgument, NotModified
from moby_tui.schema.container import ContainerInspect, LogOptions, PortBinding, RestartPolicy
from runtime.box import Box, cgroup_folders
from runtime.monitor.history import actions


def policy(name: str, maximum: int = 0) -> dict[str, Any]:
    return {"restart_policy": RestartPolicy(name=name, maximum_retry_count=maximum)}


def asked(name: str, maximum: int = 0) -> order.RestartPolicy:
    return order.RestartPolicy(policy=name, maximum=maximum)


async def until(box: Box, ident: str, test: Callable[[ContainerInspect], bool], seconds: float = 20) -> ContainerInspect:
    async with asyncio.timeout(seconds):
        while not test(seen := await box.engine.containers.inspect(ident)):
            await asyncio.sleep(0.02)
    return seen


# decisions


def test_back_off_doubles_up_to_its_bound() -> None:
    restarts = Restarts(asked("always"))
    delays = []
    for _ in range(12):
        assert restarts.decide(0, 0.0)
        delays.append(restarts.delay)
    assert delays[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert delays[-2:] == [60.0, 60.0]
    assert restarts.count == 12


def test_back_off_begins_anew_after_steady_running() -> None:
    restarts = Restarts(asked("always"), first=1.0, longest=8.0, steady=5.0)
    delays = [restarts.delay for ran in (0, 4.9, 0, 5.0, 0, 0, 0, 0) if restarts.decide(0, ran)]
    assert delays == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("name", "code", "again"),
    [
        ("no", 1, False),
        ("", 1, False),
        ("always", 0, True),
        ("always", 1, True),
        ("unless-stopped", 0, True),
        ("on-failure", 0, False),
        ("on-failure", 1, True),
    ],
)
def test_policies(name: str, code: int, again: bool) -> None:
    assert Restarts(asked(name)).decide(code, 0.0) is again


def test_stopped_is_not_started_again_even_if_unhealthy() -> None:
    restarts = Restarts(asked("always"))
    restarts.cancelled = restarts.demanded = True
    assert not restarts.decide(1, 0.0)


def test_set_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from moby_tui.engine.kernel.loop import Loop

    loop = Loop()
    called: list[float] = []
    begun = time.monotonic()
    loop.call_later(0.1, lambda: called.append(time.monotonic() - begun))
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setattr(time, "time_ns", lambda: 4 * 10**18)
    assert not loop.run_until(lambda: False, 0.2)
    assert len(called) == 1 and called[0] >= 0.1


def test_cancelled_timer_is_not_called() -> None:
    from moby_tui.engine.kernel.loop import Loop

    loop = Loop()
    called: list[int] = []
    loop.call_later(0.01, lambda: called.append(1)).cancel()
    loop.run_until(lambda: False, 0.05)
    assert called == []


# refusals


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (policy("sometimes"), "unknown policy 'sometimes'"),
        (policy("always", 3), "can only be used with 'on-failure'"),
        (policy("no", -1), "and cannot be negative"),
        (policy("on-failure", -1), "maximum retry count cannot be negative"),
        (policy("always") | {"auto_remove": True}, "can't create 'AutoRemove' container with restart policy"),
    ],
)
async def test_refused(box: Box, host: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await box.create("true", host=host)


# containers


async def test_a_follower_loses_no_line_over_restarts(box: Box) -> None:
    """It goes on while the container waits for its next run, and reads the first and the last line of each run."""
    script = "echo >>/runs; n=$(wc -l </runs); for i in 1 2 3 4 5; do echo $n.$i; done; exit 1"
    ident = await box.start("sh", "-c", script, host=policy("on-failure", 4))
    async with asyncio.timeout(30):
        lines = [line.decode() async for _, line in box.engine.containers.logs(ident, LogOptions(follow=True))]
    assert lines == [f"{run}.{line}\n" for run in range(1, 6) for line in range(1, 6)]


async def test_on_failure_up_to_its_maximum(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sh", "-c", "echo run >> /runs; echo said; exit 3", host=policy("on-failure", 2))
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert (seen.restart_count, seen.state.exit_code) == (2, 3)
    assert actions(roots, ident) == ["create", "start", "die", "start", "die", "start", "die"]
    assert (box.engine.paths.container(ident).upper / "runs").read_text() == "run\n" * 3
    log = box.engine.paths.container(ident).log.read_text()
    assert log.count("said") == 3
    await _gone(ident)


async def _gone(ident: str) -> None:
    async with asyncio.timeout(10):
        while open_cgroup(f"/moby/{ident}").exists():
            await asyncio.sleep(0.02)


async def test_on_failure_is_content_with_success(box: Box) -> None:
    ident = await box.start("true", host=policy("on-failure"))
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert seen.restart_count == 0


async def test_always(box: Box) -> None:
    """The first wait tells the exit code of the first end; then it starts again, with the same network and another pid."""
    ident = await box.create("sh", "-c", "test -e /second && exec sleep 60; touch /second; sleep 0.3", host=policy("always"))
    waiter = await box.engine.containers.wait(ident, condition="next-exit")
    await box.engine.containers.start(ident)
    first = await box.engine.containers.inspect(ident)
    namespace = os.readlink(f"/proc/{first.state.pid}/ns/net")
    assert (await waiter.result()).status_code == 0
    second = await until(box, ident, lambda seen: seen.restart_count == 1 and seen.state.status == "running")
    assert second.state.pid != first.state.pid and second.state.exit_code == 0
    assert os.readlink(f"/proc/{second.state.pid}/ns/net") == namespace
    assert len({path.parent for path in cgroup_folders(ident)}) == len(cgroup_folders(ident)) > 0


async def test_back_off_of_a_container(box: Box) -> None:
    ident = await box.start("sh", "-c", "cat /proc/uptime; exit 1", host=policy("on-failure", 4))
    await until(box, ident, lambda seen: seen.state.status == "exited")
    lines = box.engine.paths.container(ident).log.read_text().splitlines()
    times = [float(json.loads(line)["log"].split()[0]) for line in lines]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for gap, least in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert gap >= least - 0.02


async def _waiting(box: Box, **options: Any) -> str:
    """A container in a long wait for its restart."""
    ident = await box.start("sh", "-c", "exit 7", host=policy("always"), **options)
    await until(box, ident, lambda seen: seen.restart_count >= 4 and seen.state.status == "restarting")
    return ident


async def test_while_it_waits(box: Box) -> None:
    ident = await _waiting(box)
    containers = box.engine.containers
    seen = await containers.inspect(ident)
    if seen.state.status == "restarting":
        assert seen.state.running and seen.state.restarting and seen.state.pid == 0
        assert seen.state.exit_code == 7
    row = next(row for row in await containers.list(filters={"status": ["restarting"]}) if row.id == ident)
    assert row.status.startswith("Restarting (7) ")
    with pytest.raises(Conflict, match="is restarting"):
        await containers.pause(ident)
    with pytest.raises(Conflict, match="stop the container before removing"):
        await containers.remove(ident)
    with pytest.raises(NotModified):
        await containers.start(ident)


async def test_stop_while_it_waits(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await _waiting(box)
    await box.engine.containers.stop(ident)
    seen = await box.engine.containers.inspect(ident)
    assert (seen.state.status, seen.state.exit_code) == ("exited", 7)
    assert actions(roots, ident)[-1] == "stop"
    await asyncio.sleep(1)
    assert (await box.engine.containers.inspect(ident)).state.status == "exited"


async def test_kill_while_it_waits(box: Box) -> None:
    ident = await _waiting(box)
    await box.engine.containers.kill(ident)
    assert (await box.engine.containers.inspect(ident)).state.status == "exited"


async def test_forced_removal_while_it_waits(box: Box) -> None:
    ident = await _waiting(box)
    await box.engine.containers.remove(ident, force=True)
    assert await box.engine.containers.list(all=True) == []


async def test_restart_while_it_waits(box: Box) -> None:
    ident = await _waiting(box)
    await box.engine.containers.restart(ident)
    assert (await box.engine.containers.inspect(ident)).restart_count < 4


async def test_stop_ends_it_for_good(box: Box) -> None:
    ident = await box.start("sleep", "60", host=policy("always"))
    await box.engine.containers.stop(ident, timeout=0)
    await asyncio.sleep(0.5)
    seen = await box.engine.containers.inspect(ident)
    assert (seen.state.status, seen.restart_count) == ("exited", 0)


async def test_signal_that_ends_nothing_does_not_keep_it_down(box: Box) -> None:
    script = "trap 'exit 5' HUP; touch /ready; while :; do sleep 0.05; done"
    ident = await box.start("sh", "-c", script, host=policy("unless-stopped"))
    upper = box.engine.paths.container(ident).upper
    async with asyncio.timeout(10):
        while not (upper / "ready").exists():
            await asyncio.sleep(0.02)
    await box.engine.containers.kill(ident, signal="HUP")
    await until(box, ident, lambda seen: seen.restart_count == 1 and seen.state.status == "running")


async def test_what_does_not_start_again_is_given_up(box: Box) -> None:
    ident = await _self_destroying(box)
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert seen.state.exit_code == 127 and "no such file" in seen.state.error
    await _gone(ident)


async def _self_destroying(box: Box) -> str:
    ident = await box.create("/own", host=policy("always"))
    upper = box.engine.paths.container(ident).upper
    (upper / "own").write_text("#!/bin/sh\nrm /own\n")
    (upper / "own").chmod(0o755)
    await box.engine.containers.start(ident)
    return ident


async def test_policy_changed_while_it_runs(box: Box) -> None:
    parts = box.engine._parts
    ident = await box.start("sh", "-c", "sleep 0.3; exit 1")
    await restarting.change_policy(parts, parts.get(ident), KeptPolicy(name="on-failure", maximum_retry_count=1))
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert seen.restart_count == 1 and seen.host_config.restart_policy.name == "on-failure"
    removed = await box.create("true", host={"auto_remove": True})
    with pytest.raises(Conflict, match="AutoRemove is enabled"):
        await restarting.change_policy(parts, parts.get(removed), KeptPolicy(name="always"))


async def test_published_port_stays(box: Box) -> None:
    """The port is taken all the time, and leads to the container again after its restart."""
    ports = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="")]}
    host = policy("always") | {"network_mode": "bridge", "port_bindings": ports}
    ident = await box.start("sh", "-c", "test -e /second && exec sleep 60; touch /second; sleep 0.2", host=host)
    before = (await box.engine.containers.inspect(ident)).network_settings
    seen = await until(box, ident, lambda seen: seen.restart_count == 1 and seen.state.status == "running")
    assert seen.network_settings.ports == before.ports
    address = {name: endpoint.ip_address for name, endpoint in before.networks.items()}
    assert {name: endpoint.ip_address for name, endpoint in seen.network_settings.networks.items()} == address


# without an engine


async def test_restarts_with_no_engine_alive(roots: tuple[Path, Path], busybox: str) -> None:
    """The engine is killed while the container waits; the monitor goes on alone."""
    code = """
import asyncio, sys
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig, RestartPolicy
async def main():
    async with Engine.open(sys.argv[1], sys.argv[2]) as engine:
        host = HostConfig(network_mode="none", restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=3))
        made = await engine.containers.create(ContainerCreate(image="busybox", cmd=["sh", "-c", "exit 2"], host_config=host))
        await engine.containers.start(made.id)
        print(made.id, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, roots)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ident = process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()
    async with Engine.open(*roots) as engine:
        seen = await until(Box(engine, busybox), ident, lambda seen: seen.state.status == "exited")
        assert (seen.restart_count, seen.state.exit_code) == (3, 2)
        await engine.containers.remove(ident)


@pytest.mark.parametrize("waiting", [False, True])
async def test_killed_monitor_is_replaced_by_the_next_engine(waiting: bool, box: Box, roots: tuple[Path, Path]) -> None:
    ident = await _waiting(box) if waiting else await box.start("sleep", "60", host=policy("always"))
    files = box.engine.paths.container(ident)
    os.kill(State.read(str(files.state)).monitor, signal.SIGKILL)
    await _monitor_gone(box, ident)
    # it may have started the container once more before it was killed
    restarts = State.read(str(files.state)).restart_count
    async with Engine.open(*roots) as other:
        seen = await other.containers.inspect(ident)
    # one that does not stay up may have ended again by now
    assert seen.restart_count > restarts if waiting else seen.restart_count == restarts + 1
    assert seen.state.status in ("running", "restarting")


async def _monitor_gone(box: Box, ident: str) -> None:
    async with asyncio.timeout(10):
        while monitor_process.is_alive(box.engine.paths.container(ident).monitor_lock):
            await asyncio.sleep(0.02)


async def _reboot(box: Box, ident: str, roots: tuple[Path, Path]) -> None:
    """As if the machine had gone down: nothing runs, and the state speaks of another boot."""
    path = box.engine.paths.container(ident).state
    state = State.read(str(path))
    os.kill(state.monitor, signal.SIGKILL)
    await _monitor_gone(box, ident)
    group = open_cgroup(f"/moby/{ident}")
    group.kill()
    group.remove()
    state.boot = "an-earlier-boot"
    state.write(str(path))
    for marker in roots[1].glob("settled-*"):
        marker.unlink()


@pytest.mark.parametrize(("name", "running"), [("no", False), ("always", True), ("unless-stopped", True), ("on-failure", True)])
async def test_reboot(name: str, running: bool, box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sleep", "60", host=policy(name))
    await _reboot(box, ident, roots)
    async with Engine.open(*roots) as daemon:
        assert (await daemon.containers.inspect(ident)).state.status == "exited"
        await daemon.containers.restore()
        assert (await daemon.containers.inspect(ident)).state.running is running


@pytest.mark.parametrize(("name", "running"), [("always", True), ("unless-stopped", False), ("on-failure", False)])
async def test_stopped_by_hand_before_the_daemon_begins(name: str, running: bool, box: Box) -> None:
    ident = await box.start("sleep", "60", host=policy(name))
    await box.engine.containers.stop(ident, timeout=0)
    if name == "on-failure":
        # it ended by a signal, which is a failure, but one that was asked for
        assert (await box.engine.containers.inspect(ident)).state.exit_code == 137
    await box.engine.containers.restore()
    assert (await box.engine.containers.inspect(ident)).state.running is running


async def test_never_started_is_not_started_at_boot(box: Box) -> None:
    ident = await box.create("sleep", "60", host=policy("always"))
    await box.engine.containers.restore()
    assert (await box.engine.containers.inspect(ident)).state.status == "created"


async def test_shutdown_and_the_next_daemon(box: Box) -> None:
    one = await box.start("sleep", "60", host=policy("unless-stopped"))
    other = await box.start("sleep", "60", stop_timeout=0)
    await boot.shut_down(box.engine._parts, 0)
    for ident in (one, other):
        assert (await box.engine.containers.inspect(ident)).state.status == "exited"
    await box.engine.containers.restore()
    assert (await box.engine.containers.inspect(one)).state.running
    assert not (await box.engine.containers.inspect(other)).state.running


async def test_order_of_dependencies(box: Box) -> None:
    parts = box.engine._parts
    first, second, third = [parts.get(await box.create("true", name=name)) for name in ("one", "two", "three")]
    first.host_config.network_mode = "container:two"
    second.host_config.volumes_from = [f"{third.id}:ro"]
    assert [[record.name for record in rank] for rank in resuming.ranks([first, second, third])] == [
        ["three"],
        ["two"],
        ["one"],
    ]
    third.host_config.pid_mode = "container:one"
    assert sum(len(rank) for rank in resuming.ranks([first, second, third])) == 3
