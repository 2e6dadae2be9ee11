"""Real groups of this machine's kernel, version 1 or 2 as it has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moby_tui.engine.kernel.cgroup import detect, files, open_cgroup
from moby_tui.engine.kernel.cgroup.block_io import weight_of_blkio
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.kernel.cgroup.v2 import swap_alone, weight_of_shares

LAYOUT = detect()
MB = 1024 * 1024


@pytest.fixture
def parent() -> str:
    return f"/moby-test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def group(parent: str) -> Iterator[Cgroup]:
    cgroup = open_cgroup(f"{parent}/one")
    yield cgroup
    cgroup.kill()
    cgroup.remove()
    assert not any(os.path.exists(folder) for folder in folders(parent))


@pytest.fixture
def spawn(group: Cgroup) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts Python code inside the group; the code runs only when it is in."""
    running: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-IS", "-c", "import sys; sys.stdin.readline()\n" + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        running.append(process)
        group.add(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def folders(path: str) -> list[str]:
    trees = [LAYOUT.unified] if LAYOUT.version == 2 else [*LAYOUT.legacy, LAYOUT.unified]
    return [f"{tree.mountpoint}{path}" for tree in trees if tree is not None]


def setting(group: Cgroup, v1: str, v2: str) -> str:
    if LAYOUT.version == 2:
        return files.read(f"{folders(group.path)[0]}/{v2}").strip()
    controller = "cpu" if v1.startswith("cpu.") else v1.partition(".")[0]
    tree = next(tree for tree in LAYOUT.legacy if controller in tree.controllers)
    return files.read(f"{tree.mountpoint}{group.path}/{v1}").strip()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_limits_arrive_in_the_kernel(group: Cgroup) -> None:
    group.create(
        {
            "memory": {"limit": 64 * MB, "reservation": 32 * MB},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0"},
            "pids": {"limit": 17},
        }
    )
    assert int(setting(group, "memory.limit_in_bytes", "memory.max")) == 64 * MB
    assert int(setting(group, "memory.soft_limit_in_bytes", "memory.low")) == 32 * MB
    assert setting(group, "pids.max", "pids.max") == "17"
    assert setting(group, "cpuset.cpus", "cpuset.cpus") == "0"
    if LAYOUT.version == 2:
        assert setting(group, "", "cpu.max") == "50000 100000" and setting(group, "", "cpu.weight") == "59"
    else:
        assert setting(group, "cpu.cfs_quota_us", "") == "50000" and setting(group, "cpu.shares", "") == "512"


def test_update_changes_what_is_named_and_leaves_the_rest(group: Cgroup) -> None:
    group.create({"memory": {"limit": 64 * MB}, "pids": {"limit": 17}})
    group.update({"memory": {"limit": 96 * MB}, "cpu": {"quota": -1}})
    assert int(setting(group, "memory.limit_in_bytes", "memory.max")) == 96 * MB
    assert setting(group, "pids.max", "pids.max") == "17"
    group.update({"pids": {"limit": -1}})
    assert setting(group, "pids.max", "pids.max") == "max"


def test_a_process_joins_is_seen_and_killed(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({})
    process = spawn("import os,time; os.fork(); time.sleep(60)")
    wait_for(lambda: len(group.pids()) == 2)
    assert process.pid in group.pids()
    group.kill()
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not group.pids())


def test_every_hierarchy_is_joined(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({})
    process = spawn("import time; time.sleep(60)")
    lines = files.read(f"/proc/{process.pid}/cgroup").splitlines()
    mounted = [tree for tree in [*LAYOUT.legacy, LAYOUT.unified] if tree is not None]
    assert sum(line.endswith(f":{group.path}") for line in lines) == len(mounted if LAYOUT.version == 1 else folders(""))


def test_the_descriptor_is_the_folder_of_version_2(group: Cgroup) -> None:
    group.create({})
    descriptor = group.descriptor()
    if LAYOUT.unified is None:
        assert descriptor is None
    else:
        assert descriptor is not None and os.path.samestat(os.fstat(descriptor), os.stat(LAYOUT.unified.mountpoint + group.path))


def test_frozen_processes_stand_still(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({})
    process = spawn("while True: print(1, flush=True)")
    assert process.stdout is not None
    process.stdout.readline()
    group.freeze()
    os.set_blocking(process.stdout.fileno(), False)
    while process.stdout.read(1 << 20):
        pass
    time.sleep(0.1)
    assert process.stdout.read(1) is None
    group.thaw()
    os.set_blocking(process.stdout.fileno(), True)
    assert process.stdout.readline() == b"1\n"


def test_frozen_processes_can_be_killed(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({})
    process = spawn("import time; time.sleep(60)")
    group.freeze()
    group.kill()
    assert process.wait() == -signal.SIGKILL


def test_the_memory_limit_kills_and_is_counted(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({"memory": {"limit": 32 * MB, "swap": 32 * MB}})
    assert group.oom_kills() == 0
    assert spawn("b = b'x' * (128 << 20)").wait() == -signal.SIGKILL
    assert group.oom_kills() == 1


def test_the_process_limit_holds(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({"pids": {"limit": 1}})
    process = spawn("import os\ntry: os.fork()\nexcept BlockingIOError: sys.exit(11)")
    assert process.wait() == 11


def test_usage_counts(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({"memory": {"limit": 256 * MB}, "pids": {"limit": 9}})
    process = spawn("b = b'x' * (32 << 20)\nfor i in range(3000000): pass\nprint('x', flush=True)\nsys.stdin.read()")
    assert process.stdout is not None
    process.stdout.readline()
    usage = group.usage()
    cpu, memory, pids = usage["cpu"], usage["memory"], usage["pids"]
    assert isinstance(cpu, dict) and isinstance(memory, dict) and isinstance(pids, dict)
    assert cpu["total"] > 10_000_000 and memory["limit"] == 256 * MB
    assert 32 * MB <= memory["usage"] <= 256 * MB and memory["stat"]
    assert pids == {"current": 1, "limit": 9}


def test_without_a_limit_memory_has_none(group: Cgroup) -> None:
    group.create({})
    memory = group.usage()["memory"]
    assert isinstance(memory, dict) and memory["limit"] is None


def test_devices_are_filtered(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    rules: list[dict[str, object]] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"},
    ]
    code = """
import os
def tried(path, flags):
    try: os.close(os.open(path, flags)); return 'y'
    except PermissionError: return 'n'
print(tried('/dev/null', 2) + tried('/dev/zero', 0) + tried('/dev/zero', 2) + tried('/dev/full', 0), flush=True)
"""
    group.create({"devices": rules})
    assert spawn(code).communicate()[0] == b"yynn\n"
    group.update({"devices": [*rules, {"allow": True, "type": "c", "major": 1, "access": "rw"}]})
    assert spawn(code).communicate()[0] == b"yyyy\n"
    group.update({"devices": rules})
    assert spawn(code).communicate()[0] == b"yynn\n"


def test_all_devices_of_a_privileged_container(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({"devices": [{"allow": True, "access": "rwm"}]})
    assert spawn("import os; os.close(os.open('/dev/full', 2)); print('y')").communicate()[0] == b"y\n"


def test_what_is_left_of_an_earlier_group_goes(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({"pids": {"limit": 3}})
    os.mkdir(f"{folders(group.path)[0]}/below")
    group.create({})
    assert setting(group, "pids.max", "pids.max") == "max"
    assert not os.path.exists(f"{folders(group.path)[0]}/below")
    process = spawn("import time; time.sleep(60)")
    with pytest.raises(OSError, match="still holds processes"):
        open_cgroup(group.path).create({})
    assert process.poll() is None


def test_removal_takes_the_groups_below_first_and_is_no_error_twice(group: Cgroup, parent: str) -> None:
    group.create({})
    for folder in folders(group.path):
        os.makedirs(f"{folder}/a/b")
    group.remove()
    group.remove()
    assert not any(os.path.exists(folder) for folder in folders(parent))


def test_a_group_without_others_below_it_is_removed_unread(parent: str) -> None:
    """A monitor removes one in each hierarchy before its container counts as removed."""
    for folder in folders(parent):
        os.makedirs(f"{folder}/one/below")
    program = (
        "import sys; from moby_tui.engine.kernel.cgroup import files; scanned = []\n"
        "sys.addaudithook(lambda event, args: event == 'os.scandir' and scanned.append(args[0]))\n"
        "for folder in sys.argv[1:]: files.remove(f'{folder}/one/below', parent=True); files.remove(folder, parent=False)\n"
        "print(scanned)"
    )
    done = subprocess.run([sys.executable, "-c", program, *folders(parent)], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert not any(os.path.exists(folder) for folder in folders(parent))


def test_removal_waits_for_a_process_that_is_just_going(group: Cgroup, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    group.create({})
    process = spawn("import time; time.sleep(60)")

    def kill() -> None:
        process.kill()
        process.wait()

    reaper = threading.Timer(0.2, kill)
    reaper.start()
    group.remove()
    reaper.join()


def test_makers_and_removers_of_the_same_parent_do_not_collide(parent: str) -> None:
    failures: list[BaseException] = []

    def churn(name: str) -> None:
        try:
            for _ in range(15):
                cgroup = open_cgroup(f"{parent}/{name}")
                cgroup.create({})
                cgroup.remove()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not any(os.path.exists(folder) for folder in folders(parent))


def test_a_refused_value_names_itself_and_leaves_nothing(group: Cgroup) -> None:
    with pytest.raises(OSError, match=r"cannot write 4095 to cpuset\.cpus"):
        group.create({"cpu": {"cpus": "4095"}})
    assert not any(os.path.exists(folder) for folder in folders(group.path))


@pytest.mark.parametrize("resources", [{"network": {"classID": 1}}, {"memory": {"kernel": 1}}, {"unified": {"a/b": "1"}}])
def test_an_unknown_limit_is_not_ignored(group: Cgroup, resources: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="control groups"):
        group.create(resources)


def test_mounts_describe_what_the_machine_has(group: Cgroup) -> None:
    mounts = group.mounts()
    if LAYOUT.version == 2:
        assert mounts == [{"type": "cgroup2"}]
    else:
        assert {"type": "cgroup", "name": "memory", "options": ["memory"], "links": []} in mounts


def test_conversions_meet_at_both_ends_and_at_the_default() -> None:
    assert [weight_of_shares(shares) for shares in (0, 2, 1024, 262144)] == [1, 1, 100, 10000]
    assert [weight_of_blkio(weight) for weight in (10, 500, 1000)] == [1, 4950, 10000]


_IN_A_CONTAINER = """
import subprocess, sys
from moby_tui.engine.kernel.cgroup import files
root, controller = sys.argv[1:]
subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
assert files.read(f"{root}/cgroup.subtree_control") == ""
files.make(root, "/moby/one")
files.hand_down(root, "/moby/one", (controller,))
assert controller in files.read(f"{root}/moby/one/cgroup.controllers")
print(open("/proc/self/cgroup").read())
"""


def test_an_engine_in_a_container_gives_controllers_to_containers_of_its_own(parent: str, tmp_path: Path) -> None:
    """The container's processes leave the topmost group of its namespace, which else gives no controllers on (cgroup-v2.rst)."""
    tree = LAYOUT.unified
    controller = next((name for name in ("memory", "hugetlb") if tree is not None and name in tree.controllers), None)
    if tree is None or controller is None:
        pytest.skip("no controller of version 2 here is for whole processes alone")
    files.make(tree.mountpoint, f"{parent}/container")
    files.hand_down(tree.mountpoint, f"{parent}/container")
    command = ["unshare", "-m", "-C", sys.executable, "-c", _IN_A_CONTAINER, str(tmp_path), controller]
    enter = f'echo $$ >{tree.mountpoint}{parent}/container/cgroup.procs && exec "$@"'
    done = subprocess.run(["sh", "-c", enter, "sh", *command], capture_output=True, text=True, check=False)
    files.remove(f"{tree.mountpoint}{parent}")
    assert "0::/init\n" in done.stdout, done.stderr


def test_swap_alone() -> None:
    assert swap_alone(64, 96) == 32 and swap_alone(64, 64) == 0
    assert swap_alone(64, -1) == "max" and swap_alone(None, None) is None and swap_alone(-1, None) == "max"
    for limit, both in ((None, 10), (64, 32)):
        with pytest.raises(ValueError, match="memory"):
            swap_alone(limit, both)
