"""What a container may use: that it arrives in its control groups, and what is said where the machine cannot give it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.cgroup import detect, files
from moby_tui.engine.kernel.cgroup.features import BLOCK_WEIGHTS, has
from moby_tui.engine.policy import limits
from moby_tui.engine.runtime.configuration import resources
from moby_tui.engine.store.records.containers import Resources as KeptResources
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig, Resources, ThrottleDevice, WeightDevice
from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box, cgroup_folders

MB = 1024 * 1024
V1 = detect().version == 1


def disk(folder: Path) -> tuple[str, str]:
    """A device node, made in the folder, for a whole disk of this machine, or else a loop device; and its numbers."""
    known = sorted(Path("/sys/block").iterdir(), key=lambda path: path.name.startswith(("loop", "ram", "zram")))
    if not known:
        pytest.skip("/sys/block is empty: this kernel has no block device, not even a loop device, that a limit could name")
    number = (known[0] / "dev").read_text().strip()
    node = folder / "disk"
    os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(*map(int, number.split(":"))))
    return str(node), number


def read(ident: str, v1: str, v2: str) -> str:
    for folder in cgroup_folders(ident):
        for name in (v1, v2):
            if name and (folder / name).exists():
                return (folder / name).read_text()
    raise AssertionError(f"neither {v1} nor {v2}")


async def test_throttles_of_block_devices_are_in_force(engine: Engine, busybox: str, tmp_path: Path) -> None:
    path, number = disk(tmp_path)
    host = {
        "blkio_device_read_bps": [ThrottleDevice(path=path, rate=MB)],
        "blkio_device_write_bps": [ThrottleDevice(path=path, rate=2 * MB)],
        "blkio_device_read_iops": [ThrottleDevice(path=path, rate=300)],
        "blkio_device_write_iops": [ThrottleDevice(path=path, rate=400)],
    }
    ident = await Box(engine, busybox).start("sleep", "60", host=host)
    if V1:
        assert f"{number} {MB}\n" in read(ident, "blkio.throttle.read_bps_device", "")
        assert f"{number} {2 * MB}\n" in read(ident, "blkio.throttle.write_bps_device", "")
        assert f"{number} 300\n" in read(ident, "blkio.throttle.read_iops_device", "")
        assert f"{number} 400\n" in read(ident, "blkio.throttle.write_iops_device", "")
    else:
        line = read(ident, "", "io.max")
        assert all(word in line for word in (number, f"rbps={MB}", f"wbps={2 * MB}", "riops=300", "wiops=400"))


async def test_block_weights_are_in_force_where_a_scheduler_knows_them(engine: Engine, busybox: str) -> None:
    if not has(detect(), BLOCK_WEIGHTS):
        asked = Resources(blkio_weight=300)
        settled, warnings = limits.settle(asked)
        assert "Weight discarded" in warnings[0] and settled.blkio_weight == 0 and asked.blkio_weight == 300
        return
    ident = await Box(engine, busybox).start("sleep", "60", host={"blkio_weight": 300})
    assert "300" in read(ident, "blkio.bfq.weight", "io.bfq.weight" if V1 else "io.weight") or not V1


async def test_a_limit_of_what_is_no_block_device_is_refused(engine: Engine, busybox: str) -> None:
    for path, text in (("/dev/null", "not a block device"), ("/dev/nosuch", "No such file")):
        with pytest.raises(InvalidArgument, match=text):
            await Box(engine, busybox).start("true", host={"blkio_device_read_bps": [ThrottleDevice(path=path, rate=MB)]})


async def test_memory_swappiness_and_the_oom_switch(engine: Engine, busybox: str) -> None:
    host: dict[str, Any] = {"memory": 32 * MB, "memory_swappiness": 0, "oom_kill_disable": True}
    created = await engine.containers.create(
        ContainerCreate(image=busybox, cmd=["sleep", "60"], host_config=HostConfig(network_mode="none", **host))
    )
    if not V1:
        assert created.warnings == [
            "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
            "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
        ]
        return
    await engine.containers.start(created.id)
    assert read(created.id, "memory.swappiness", "") == "0\n"
    assert "oom_kill_disable 1" in read(created.id, "memory.oom_control", "")
    assert (await engine.containers.inspect(created.id)).host_config.memory_swap == 64 * MB


async def test_a_real_time_budget_is_given_or_refused(engine: Engine, busybox: str) -> None:
    host = {"cpu_realtime_period": 1_000_000, "cpu_realtime_runtime": 1000}
    if not has(detect(), "cpu real-time"):
        with pytest.raises(InvalidArgument, match="does not support cgroup cpu real-time period"):
            await Box(engine, busybox).create("true", host=host)
        return
    ident = await Box(engine, busybox).start("sleep", "60", host=host)
    assert read(ident, "cpu.rt_runtime_us", "") == "1000\n"


async def test_the_cgroup_parent_is_the_user_s_and_stays(engine: Engine, busybox: str) -> None:
    parent = "user-group-of-a-test"
    done = await Box(engine, busybox).run("true", host={"cgroup_parent": f"/{parent}"})
    # waits for all of it to be put away
    await engine.containers.remove(done.id)
    left = [path for pattern in ("", "*/") for path in Path("/sys/fs/cgroup").glob(f"{pattern}{parent}")]
    try:
        assert done.code == 0 and left and not any((folder / done.id).exists() for folder in left)
    finally:
        for folder in left:
            folder.rmdir()
    # nothing is above the root
    parent = f"../../mt-{os.getpid()}/a/../b"
    done = await Box(engine, busybox).run("cat", "/proc/self/cgroup", host={"cgroup_parent": parent, "cgroupns_mode": "host"})
    assert f":/mt-{os.getpid()}/b/{done.id}\n" in done.out
    await engine.containers.remove(done.id)
    for folder in [path for pattern in ("", "*/") for path in Path("/sys/fs/cgroup").glob(f"{pattern}mt-{os.getpid()}")]:
        (folder / "b").rmdir()
        folder.rmdir()
    # the root, in which nothing stays
    assert (await Box(engine, busybox).run("true", host={"cgroup_parent": "//"})).code == 0


def _unified_path(pid: int) -> str:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line[3:] for line in lines if line.startswith("0::"))


async def test_an_exec_in_a_container_that_has_groups_of_its_own(engine: Engine, busybox: str) -> None:
    """As Docker in a container does: controllers are given to groups below its own, which then takes no process (cgroup-v2.rst)."""
    tree = detect().unified
    if tree is None or not set(tree.controllers) - {"cpu", "cpuset", "perf_event", "pids"}:
        pytest.skip("no controller of version 2 here is for whole processes alone")
    ident = await Box(engine, busybox).start("sleep", "60")
    state = (await engine.containers.inspect(ident)).state
    path = _unified_path(state.pid)
    folder = Path(f"{tree.mountpoint}{path}")
    files.hand_down(tree.mountpoint, path)
    (folder / "inner").mkdir()
    (folder / "inner/cgroup.procs").write_text(str(state.pid))
    files.hand_down(tree.mountpoint, f"{path}/inner")
    with pytest.raises(OSError, match="busy"):
        (folder / "cgroup.procs").write_text(str(state.pid))
    execution = await engine.containers.exec_create(ident, ExecCreate(cmd=["sleep", "60"]))
    assert await engine.containers.exec_start(execution, ExecStart(detach=True)) is None
    assert _unified_path((await engine.containers.exec_inspect(execution)).pid) == f"{path}/inner"


def test_what_cannot_be_meant_is_refused_in_docker_s_words() -> None:
    for asked, text in (
        (Resources(memory_swappiness=101), "valid memory swappiness range is 0-100"),
        (Resources(io_maximum_iops=1), "QoS maximum IOPs configuration is not supported"),
        (Resources(cpu_realtime_period=10, cpu_realtime_runtime=11), "cannot be higher than cpu real-time period"),
        (Resources(cpu_shares=-1), "value must be a positive integer"),
    ):
        with pytest.raises(InvalidArgument, match=text):
            limits.settle(asked)


@pytest.mark.parametrize(
    "asked", [Resources(blkio_weight=9), Resources(blkio_weight_device=[WeightDevice(path="/dev/x", weight=5)])]
)
def test_a_weight_that_is_too_small_is_refused_if_the_kernel_knows_weights(asked: Resources) -> None:
    try:
        settled, warnings = limits.settle(asked)
    except InvalidArgument as error:
        assert str(error).startswith("Range of blkio weight is from 10 to 1000")
    else:
        assert (settled, len(warnings)) == (Resources(), 1)
        assert warnings[0].startswith("Your kernel does not support Block I/O weight")


@pytest.mark.parametrize(
    ("shares", "text"), [(1, "minimum allowed cpu-shares is 2"), (262145, "maximum allowed cpu-shares is 262144")]
)
async def test_shares_that_the_kernel_would_change_are_refused(engine: Engine, busybox: str, shares: int, text: str) -> None:
    created = await engine.containers.create(ContainerCreate(image=busybox, host_config=HostConfig(cpu_shares=shares)))
    if V1:
        with pytest.raises(MobyError, match=text):
            await engine.containers.start(created.id)
    else:
        # a weight is one of a range onto which any number of shares falls
        await engine.containers.start(created.id)
    assert (await engine.containers.inspect(created.id)).host_config.cpu_shares == shares


def test_cpu_percent_is_dropped_with_a_warning_and_the_cpu_count_kept() -> None:
    asked = Resources(cpu_percent=10, cpu_count=2)
    assert limits.settle(asked) == (Resources(cpu_count=2), ["linux does not support CPU percent. Percent discarded."])
    assert asked == Resources(cpu_percent=10, cpu_count=2)


def test_nothing_asked_is_nothing_limited() -> None:
    assert resources.limits(KeptResources()).values() == {}
    asked = HostConfig(memory_swappiness=-1, oom_kill_disable=False, pids_limit=0)
    assert limits.settle(asked) == (HostConfig(oom_kill_disable=False, pids_limit=0), [])


async def test_umask(engine: Engine, busybox: str) -> None:
    assert (await Box(engine, busybox).run("sh", "-c", "umask", host={"umask": "0027"})).out.strip() == "0027"
    with pytest.raises(InvalidArgument, match="invalid umask"):
        await Box(engine, busybox).create("true", host={"umask": "9"})
