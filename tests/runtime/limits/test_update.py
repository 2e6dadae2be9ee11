"""Limits that are changed while a container runs, is paused, or lies still; and the killer for want of memory, noticed at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import Conflict, InvalidArgument
from moby_tui.schema.container import ContainerUpdate, DeviceMapping
from runtime.box import Box, cgroup_folders

MB = 1024 * 1024


def limit(ident: str, v1: str, v2: str) -> str:
    return next((folder / name).read_text() for folder in cgroup_folders(ident) for name in (v1, v2) if (folder / name).exists())


async def test_a_running_container_is_changed_and_shows_it(engine: Engine, busybox: str) -> None:
    ident = await Box(engine, busybox).start("sleep", "60", host={"memory": 64 * MB})
    changes = ContainerUpdate(memory=32 * MB, memory_swap=48 * MB, pids_limit=50, cpu_shares=512, cpuset_cpus="0")
    assert (await engine.containers.update(ident, changes)).warnings == []
    assert limit(ident, "memory.limit_in_bytes", "memory.max") == f"{32 * MB}\n"
    assert limit(ident, "memory.memsw.limit_in_bytes", "memory.swap.max") in (f"{48 * MB}\n", f"{16 * MB}\n")
    assert limit(ident, "pids.max", "pids.max") == "50\n"
    assert limit(ident, "cpuset.cpus", "cpuset.cpus") == "0\n"
    host = (await engine.containers.inspect(ident)).host_config
    assert (host.memory, host.memory_swap, host.pids_limit, host.cpu_shares) == (32 * MB, 48 * MB, 50, 512)
    await engine.containers.update(ident, ContainerUpdate(pids_limit=-1))
    assert limit(ident, "pids.max", "pids.max") == "max\n"
    # what was not named has stayed
    assert limit(ident, "memory.limit_in_bytes", "memory.max") == f"{32 * MB}\n"


async def test_a_paused_one_too_and_a_stopped_one_from_its_next_start(engine: Engine, busybox: str) -> None:
    ident = await Box(engine, busybox).start("sleep", "60")
    await engine.containers.pause(ident)
    await engine.containers.update(ident, ContainerUpdate(pids_limit=40))
    assert limit(ident, "pids.max", "pids.max") == "40\n"
    await engine.containers.unpause(ident)
    await engine.containers.kill(ident)
    await engine.containers.update(ident, ContainerUpdate(pids_limit=41, nano_cpus=500_000_000))
    await engine.containers.start(ident)
    assert limit(ident, "pids.max", "pids.max") == "41\n"
    assert limit(ident, "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"


@pytest.mark.parametrize(
    ("host", "changes", "error", "text"),
    [
        (
            {"cpu_period": 50_000},
            {"nano_cpus": 10**9},
            Conflict,
            "Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        ({"nano_cpus": 10**9}, {"cpu_quota": 50_000}, Conflict, "CPU Quota cannot be updated as NanoCPUs has already been set"),
        ({"memory": 16 * MB}, {"memory": 64 * MB}, Conflict, "Memory limit should be smaller than already set memoryswap limit"),
        ({}, {"memory": MB}, InvalidArgument, "Minimum memory limit allowed is 6MB"),
        ({}, {"devices": [DeviceMapping(path_on_host="/dev/null")]}, InvalidArgument, "devices cannot be changed by an update"),
    ],
)
async def test_what_is_refused(
    engine: Engine, busybox: str, host: dict[str, int], changes: dict[str, int], error: type[Exception], text: str
) -> None:
    ident = await Box(engine, busybox).create("true", host=host)
    before = (await engine.containers.inspect(ident)).host_config
    with pytest.raises(error, match=text):
        await engine.containers.update(ident, ContainerUpdate(**changes))  # type: ignore[arg-type]
    assert (await engine.containers.inspect(ident)).host_config == before


async def test_an_update_is_an_event(engine: Engine, busybox: str) -> None:
    ident = await Box(engine, busybox).create("true")
    began = time.time() - 1
    await engine.containers.update(ident, ContainerUpdate(cpu_shares=100))
    seen = [event.action async for event in engine.events.stream(since=began, until=time.time() + 0.5)]
    assert "update" in seen


def test_the_command_line(cli: Callable[..., subprocess.CompletedProcess[str]], busybox: str) -> None:
    cli("create", "--name", "cc", "--network", "none", busybox, "true")
    assert cli("update", "--memory", "32m", "--memory-swap", "-1", "--pids-limit", "30", "cc").stdout.strip() == "cc"
    shown = cli("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}", "cc").stdout
    assert shown.split() == [str(32 * MB), "-1", "30"]
    cli("rm", "cc")


async def test_the_killing_of_a_child_is_told_while_the_container_lives(engine: Engine, busybox: str) -> None:
    script = "(x=a; while :; do x=$x$x; done) & wait; echo survived; sleep 60"
    began = time.time() - 1
    ident = await Box(engine, busybox).start("sh", "-c", script, host={"memory": 16 * MB, "memory_swap": 16 * MB})
    async for event in engine.events.stream(since=began, until=time.time() + 30, filters={"container": [ident]}):
        if event.action == "oom":
            break
    else:
        pytest.fail("nothing was told")
    state = (await engine.containers.inspect(ident)).state
    assert state.running and state.oom_killed
