"""Containers that another OCI runtime makes: everything that can be asked of them is as with our own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

import other_runtime
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import CommandNotFound, CommandNotInvocable, InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema.container import (
    AttachOptions,
    ContainerState,
    ContainerUpdate,
    Health,
    HealthConfig,
    LogOptions,
    RestartPolicy,
)
from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box, cgroup_folders
from runtime.running import execute

MB = 1024 * 1024

PROJECT = Path(__file__).parents[2]


@pytest.fixture(params=["crun", "runc", "moby oci"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The program."""
    if request.param == "moby oci":
        own = tmp_path / "moby-oci"
        own.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m moby_tui oci "$@"\n')
        own.chmod(0o755)
        return str(own)
    return other_runtime.program(str(request.param), tmp_path)


async def ended(box: Box, ident: str) -> ContainerState:
    for _ in range(1200):
        state = (await box.engine.containers.inspect(ident)).state
        if state.status == "exited":
            return state
        await asyncio.sleep(0.05)
    raise AssertionError(state)


async def test_a_program_runs_with_its_own_streams_files_and_limits(box: Box, runtime: str) -> None:
    script = "read word; echo got $word; echo err >&2; hostname; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'; exit 7"
    host = {"runtime": runtime, "memory": 64 * MB, "network_mode": "bridge"}
    done = await box.run("sh", "-c", script, stdin=b"this\n", hostname="apart", host=host)
    assert (done.code, done.err) == (7, "err\n")
    assert done.out.splitlines()[:3] == ["got this", "apart", "sh"]
    assert int(done.out.splitlines()[3]) < 6
    assert (await box.engine.containers.inspect(done.id)).host_config.runtime == runtime


async def test_what_is_around_it_is_the_engine_s(box: Box, runtime: str, tmp_path: Path) -> None:
    """Network with the engine's addresses, binds, a volume filled from the image, an init, a read-only root."""
    (tmp_path / "file").write_text("from the host")
    script = "ip -4 addr show eth0 | grep -c inet; cat /mnt/file; cat /proc/1/comm; touch /x || true; wget -T 1 -O- 127.0.0.1 2>&1 | head -1"
    host = {
        "runtime": runtime,
        "network_mode": "bridge",
        "binds": [f"{tmp_path}:/mnt:ro"],
        "init": True,
        "readonly_rootfs": True,
    }
    done = await box.run("sh", "-c", script, host=host)
    lines = done.out.splitlines()
    assert lines[0] == "1" and lines[1].startswith("from the host")
    assert "Read-only file system" in done.err


async def test_a_terminal_that_the_runtime_opened_is_resized_and_read(box: Box, runtime: str) -> None:
    ident = await box.create(
        "sh", "-c", "tty; stty size; read line; stty size", tty=True, open_stdin=True, host={"runtime": runtime}
    )
    containers = box.engine.containers
    stream = await containers.attach(ident, AttachOptions(stdin=True))
    await containers.start(ident)
    await containers.resize(ident, height=33, width=77)
    stream.send(b"\n")
    out = b"".join([data async for _, data in stream.output()])
    stream.close()
    assert b"/dev/pts/0" in out or b"/dev/console" in out
    assert out.rstrip().endswith(b"33 77")


async def test_execs_have_streams_exit_codes_and_terminals(box: Box, runtime: str) -> None:
    containers = box.engine.containers
    ident = await box.start("sleep", "60", host={"runtime": runtime})
    assert await execute(box, ident, "sh", "-c", "echo one; echo two >&2") in ("one\ntwo\n", "two\none\n")
    assert "one\r\n" in await execute(box, ident, "sh", "-c", "test -t 0 && echo one", tty=True)
    several = await asyncio.gather(*(execute(box, ident, "sh", "-c", f"sleep 0.2; echo {n}") for n in range(4)))
    assert several == ["0\n", "1\n", "2\n", "3\n"]
    exec_id = await containers.exec_create(ident, ExecCreate(cmd=["sh", "-c", "exit 5"], attach_stdout=True))
    stream = await containers.exec_start(exec_id, ExecStart())
    assert stream is not None and [data async for _, data in stream.output()] == []
    stream.close()
    assert (await containers.exec_inspect(exec_id)).exit_code == 5
    with pytest.raises(CommandNotFound):
        await execute(box, ident, "no-such-program")


async def test_it_is_signalled_paused_updated_and_looked_at(box: Box, runtime: str) -> None:
    containers = box.engine.containers
    script = "trap 'echo hung up' HUP; trap 'echo ends; exit 3' TERM; while :; do sleep 0.05; done"
    ident = await box.start("sh", "-c", script, host={"runtime": runtime, "memory": 64 * MB, "pids_limit": 20})
    assert "sh" in str((await containers.top(ident)).processes)
    async for sample in containers.stats(ident, stream=False):
        assert sample.memory_stats.limit == 64 * MB
    await containers.pause(ident)
    assert (await containers.inspect(ident)).state.status == "paused"
    await containers.unpause(ident)
    await containers.update(ident, ContainerUpdate(pids_limit=30, memory=32 * MB, memory_swap=64 * MB))
    folders = {str(folder): folder for folder in cgroup_folders(ident)}
    assert "30\n" in [(folder / "pids.max").read_text() for folder in folders.values() if (folder / "pids.max").exists()]
    await containers.kill(ident, signal="HUP")
    await containers.stop(ident, timeout=5)
    assert (await containers.inspect(ident)).state.exit_code == 3
    said = [data async for _, data in containers.logs(ident, LogOptions(stdout=True))]
    assert b"".join(said) == b"hung up\nends\n"
    for _ in range(100):
        if not cgroup_folders(ident):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(cgroup_folders(ident))


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [("/no/such", CommandNotFound, 127), ("missing", CommandNotFound, 127), ("/etc", CommandNotInvocable, 126)],
)
async def test_what_cannot_be_executed_has_the_exit_code_of_a_shell(
    box: Box, runtime: str, command: str, error: type[Exception], code: int
) -> None:
    ident = await box.create(command, host={"runtime": runtime})
    with pytest.raises(error, match=command):
        await box.engine.containers.start(ident)
    state = (await box.engine.containers.inspect(ident)).state
    assert (state.status, state.exit_code) == ("created", code)


async def test_it_is_started_again_by_its_policy_and_by_hand(box: Box, runtime: str) -> None:
    containers = box.engine.containers
    policy = RestartPolicy(name="on-failure", maximum_retry_count=2)
    ident = await box.create("sh", "-c", "echo ran; exit 1", host={"runtime": runtime, "restart_policy": policy})
    await containers.start(ident)
    state = await ended(box, ident)
    assert state.exit_code == 1
    assert (await containers.inspect(ident)).restart_count == 2
    await containers.start(ident)
    await ended(box, ident)


async def test_a_killed_monitor_leaves_nothing_and_it_can_be_started_again(box: Box, runtime: str) -> None:
    containers = box.engine.containers
    ident = await box.start("sleep", "60", host={"runtime": runtime})
    files = box.engine.paths.container(ident)
    state = json.loads(files.state.read_text())
    os.kill(state["monitor"], signal.SIGKILL)
    await ended(box, ident)
    await containers.start(ident)
    assert (await execute(box, ident, "echo", "again")) == "again\n"


async def test_its_health_is_probed(box: Box, runtime: str) -> None:
    health = HealthConfig(test=["CMD-SHELL", "echo fine"], interval=100_000_000)
    ident = await box.start("sleep", "60", healthcheck=health, host={"runtime": runtime})
    for _ in range(100):
        found = (await box.engine.containers.inspect(ident)).state.health
        if isinstance(found, Health) and found.status == "healthy":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_shared_memory_and_namespaces_of_another_container(box: Box, runtime: str) -> None:
    donor = await box.start("sh", "-c", "echo shared > /dev/shm/word; sleep 60", host={"ipc_mode": "shareable"})
    shared = {
        "runtime": runtime,
        "ipc_mode": f"container:{donor}",
        "pid_mode": f"container:{donor}",
        "network_mode": f"container:{donor}",
    }
    done = await box.run("sh", "-c", "cat /dev/shm/word; ps | grep -c 'sleep 60'", host=shared)
    assert done.out.splitlines()[0] == "shared" and int(done.out.splitlines()[1]) >= 1


async def test_bad_runtimes_are_refused_before_anything_is_made(box: Box, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"unknown or invalid runtime name: nope; .*--add-runtime"):
        await box.create("true", host={"runtime": "nope"})
    with pytest.raises(InvalidArgument, match="is not the absolute path of a program"):
        await box.create("true", host={"runtime": str(tmp_path / "none")})
    with pytest.raises(NotImplementedYet, match="--userns auto with --runtime /bin/true"):
        await box.create("true", host={"runtime": "/bin/true", "userns_mode": "auto"})
    # a program that is none fails with its name
    broken = tmp_path / "broken"
    broken.write_text("no program")
    broken.chmod(0o755)
    ident = await box.create("true", host={"runtime": str(broken)})
    with pytest.raises(MobyError, match=r"broken create: .*Exec format error"):
        await box.engine.containers.start(ident)
    broken.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(MobyError, match="broken"):
        await box.engine.containers.start(ident)


async def test_runtimes_are_told_of_and_one_can_be_the_default(box: Box, runtime: str) -> None:
    engine = box.engine
    engine.configure(EngineOptions(runtimes={"mine": runtime}, default_runtime="mine"))
    info = await engine.system.info()
    assert info.default_runtime == "mine" and info.runtimes["mine"] == {"path": runtime} and "moby" in info.runtimes
    ident = await box.create("true")
    assert (await engine.containers.inspect(ident)).host_config.runtime == "mine"
    for name in ("moby", "runc", "io.containerd.runc.v2"):
        with pytest.raises(InvalidArgument, match="choose another"):
            engine.configure(EngineOptions(runtimes={name: runtime}))


async def test_the_built_in_runtime_has_docker_s_names(box: Box) -> None:
    info = await box.engine.system.info()
    assert info.default_runtime == "runc"
    for name in ("", "runc", "io.containerd.runc.v2", "moby"):
        ident = await box.create("true", host={"runtime": name})
        assert (await box.engine.containers.inspect(ident)).host_config.runtime == (name or "runc")
        assert not name or info.runtimes[name] == {"path": "in-process"}
        assert box.engine.runtimes.resolve(name) == ""
