"""The control group of whoever called, as systemd gives one to each service: its end is not that of the containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.cgroup import detect, files, open_cgroup
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.schema.exec import ExecCreate, ExecStart

LAYOUT = detect()


@pytest.fixture
def group() -> Iterator[Cgroup]:
    """One in every tree."""
    made = open_cgroup(f"/moby-test-{uuid.uuid4().hex[:8]}")
    made.make()
    yield made
    made.kill()
    made.remove()


async def test_containers_outlive_the_group_of_their_caller(
    engine: Engine, busybox: str, roots: tuple[Path, Path], group: Cgroup
) -> None:
    """A service runs a container in the background, and all that is in its group is killed: the container lives, its monitor serves it."""
    env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    moby = f"{sys.executable} -m moby_tui run -d --network none busybox sleep 600"
    service = subprocess.Popen(
        ["sh", "-c", f"{moby}; exec sleep 600"], env=env, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: _enter(group)
    )
    assert service.stdout is not None
    ident = service.stdout.readline().strip()
    assert service.pid in group.pids()
    for pid in group.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    service.communicate()
    group.remove()
    assert not group.exists()
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["echo", "there"]))
    stream = await engine.containers.exec_start(execution, ExecStart())
    assert stream is not None and b"".join([data async for _, data in stream.output()]) == b"there\n"
    assert (await engine.containers.inspect(ident)).state.running
    await engine.containers.remove(ident, force=True)


#: Starts a container, and prints the error, with less patience than the engine has.
_START = """
import asyncio, sys
from pathlib import Path
from moby_tui.engine.engine import Engine
from moby_tui.engine.runtime.client import launcher
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig

async def start():
    launcher.ANSWER_SECONDS = 1.0
    async with Engine.open(Path(sys.argv[1]), Path(sys.argv[2])) as engine:
        config = ContainerCreate(image="busybox", cmd=["true"], host_config=HostConfig(network_mode="none"))
        ident = (await engine.containers.create(config)).id
        try:
            await engine.containers.start(ident)
        except MobyError as error:
            print(error)
        await engine.containers.remove(ident)

asyncio.run(start())
"""


def test_group_of_the_monitors_is_frozen(busybox: str, roots: tuple[Path, Path], group: Cgroup) -> None:
    """One clear error, from the first launcher on. The group is that of all engines of the machine: so in a cgroup namespace."""
    monitors = open_cgroup(f"{group.path}/moby/monitors")
    monitors.make()
    # else an engine would remove the group as an empty one
    member = subprocess.Popen(["sleep", "600"], preexec_fn=lambda: _enter(monitors))
    monitors.freeze()
    try:
        binds = [f"mount --bind {tree.mountpoint}{group.path} {tree.mountpoint}" for tree in LAYOUT.trees]
        done = subprocess.run(
            ["unshare", "-m", "-C", "sh", "-ec", "\n".join([*binds, 'exec "$@"']), "-", sys.executable, "-c", _START, *roots],
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=lambda: _enter(group),
        )
        assert (done.returncode, done.stderr) == (0, "")
        text = "the control group /moby/monitors is frozen, in which containers are started: thaw it and start again\n"
        assert done.stdout == text
    finally:
        monitors.thaw()
        monitors.kill()
        member.wait()
        for left in (monitors, open_cgroup(f"{group.path}/moby")):
            left.remove()


def _enter(group: Cgroup) -> None:
    for tree in LAYOUT.trees:
        files.write(f"{tree.mountpoint}{group.path}/cgroup.procs", 0)
