"""CVE-2019-5736: nobody who gets hold of our program's files can write to them, whether or not a process of ours still runs them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import overwriting
from build.building import build
from moby_tui.engine.store.state import State
from moby_tui.schema.container import HealthConfig
from security.attacker import INTERPRETER, Attacker, with_python

MILLISECOND = 1_000_000


def named(name: str) -> list[int]:
    """The processes of this name."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if Path(f"/proc/{entry}/comm").read_text().strip() == name:
                found.append(int(entry))
        except OSError:
            continue
    return found


def check(said: str, before: tuple[int, int, int]) -> None:
    """The attack was carried out, and refused."""
    assert overwriting.REFUSED in said and "won" not in said, said
    assert fingerprint() == before


def fingerprint() -> tuple[int, int, int]:
    status = Path(INTERPRETER).stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


HOW: dict[str, dict[str, Any]] = {
    "plain": {},
    "host's pid namespace": {"pid_mode": "host"},
    "privileged": {"privileged": True},
    "capabilities": {"cap_add": ["ALL"], "security_opt": ["seccomp=unconfined"]},
    "user namespace": {"userns_mode": "auto"},
}


@pytest.mark.parametrize("how", HOW)
async def test_the_command_of_a_container_and_of_an_exec(attacker: Attacker, how: str) -> None:
    before = fingerprint()
    done = await attacker.poisoned(overwriting.poison, overwriting.COMMAND, host=HOW[how])
    check(done.out, before)
    ident = await attacker.create("sleep", "60", host=HOW[how])
    overwriting.poison(attacker.layer(ident))
    await attacker.engine.containers.start(ident)
    check((await attacker.exec(ident, overwriting.COMMAND)).out, before)
    check((await attacker.exec(ident, overwriting.COMMAND, privileged=True)).out, before)


@pytest.mark.parametrize("command", ["/script", "/link"])
async def test_our_program_as_an_interpreter(attacker: Attacker, command: str) -> None:
    def poison(layer: Path) -> None:
        overwriting.poison(layer)
        (layer / "link").symlink_to("/proc/self/exe")
        (layer / "script").write_text("#!/proc/self/exe\n")
        (layer / "script").chmod(0o755)

    before = fingerprint()
    check((await attacker.poisoned(poison, command)).out, before)


async def test_a_health_check(attacker: Attacker) -> None:
    before = fingerprint()
    check_it = HealthConfig(test=["CMD", overwriting.COMMAND], interval=50 * MILLISECOND, retries=1)
    ident = await attacker.create("sleep", "60", healthcheck=check_it)
    overwriting.poison(attacker.layer(ident))
    await attacker.engine.containers.start(ident)
    async with asyncio.timeout(30):
        while not (seen := (await attacker.engine.containers.inspect(ident)).state.health) or not seen.log:
            await asyncio.sleep(0.05)
    check(seen.log[0].output, before)


async def test_a_build_step_cannot_overwrite_our_program(attacker: Attacker) -> None:
    before = fingerprint()
    context = {f"root/{name}": content for name, content in overwriting.files().items()}
    text = f'FROM busybox\nCOPY --chmod=755 root /\nRUN ["{overwriting.COMMAND}"]\n'
    check((await build(attacker.engine, text, context)).text, before)


@pytest.mark.parametrize("victims", [["moby-monitor"], ["moby-monitor", "moby-launcher", "moby-standby"]])
async def test_when_our_processes_were_killed(attacker: Attacker, tmp_path: Path, victims: list[str]) -> None:
    """In the host's pid namespace the container's processes live on, until an engine that is open looks: here none does."""
    before = fingerprint()
    attacker.engine._watch.cancel()
    host = {"pid_mode": "host", "binds": [f"{tmp_path}:/told"]}
    ident = await attacker.create(overwriting.COMMAND, host=host)
    overwriting.poison(attacker.layer(ident))
    await attacker.engine.containers.start(ident)
    async with asyncio.timeout(30):
        while "ready" not in await attacker.told(ident):
            await asyncio.sleep(0.05)
    monitor = State.read(str(attacker.engine.paths.container(ident).state)).monitor
    parents = {os.getpid(), *launchers()}
    for pid in [pid for name in victims for pid in named(name) if pid == monitor or _parent(pid) in parents]:
        os.kill(pid, signal.SIGKILL)
    check(await asyncio.to_thread(overwriting.wait_for_attempts, tmp_path), before)


def launchers() -> list[int]:
    return [pid for pid in named("moby-launcher") if _parent(pid) == os.getpid()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def test_when_the_daemon_was_killed(
    attacker: Attacker, roots: tuple[Path, Path], cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    before = fingerprint()
    at = f"unix://{roots[1]}/s"
    where = ["--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", at]
    daemon = subprocess.Popen([sys.executable, "-m", "moby_tui", "daemon", *where], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None and daemon.stdout.readline().startswith("API listening")
    asked = ("--pid", "host", "--network", "none", "-v", f"{tmp_path}:/told")
    ident = cli("-H", at, "create", *asked, "busybox", overwriting.COMMAND).stdout.strip()
    overwriting.poison(attacker.layer(ident))
    cli("-H", at, "start", ident)
    async with asyncio.timeout(30):
        while not (tmp_path / "attempts").exists():
            await asyncio.sleep(0.05)
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    check(await asyncio.to_thread(overwriting.wait_for_attempts, tmp_path), before)


async def test_the_files_of_all_our_processes(attacker: Attacker) -> None:
    """Libraries too, and whoever has the right to open them as what a process maps: proc_pid_map_files(5)."""
    ident = await attacker.start("sleep", "60")
    await attacker.exec(ident, "true")
    monitor = State.read(str(attacker.engine.paths.container(ident).state)).monitor
    ours = launchers()
    standing_by = [pid for pid in named("moby-standby") if _parent(pid) in ours]
    assert ours and standing_by
    for pid in (monitor, *ours, *standing_by):
        assert overwriting.writable_files(pid) == []


#: What a process with CAP_SYS_ADMIN can do about a mount that it has a file of: change it, mount it again, copy it.
REMOUNT = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/proc/self/exe", os.O_PATH)
path = b"/proc/self/fd/%d" % fd
def say(what, result):
    print(what, "done" if result >= 0 else errno.errorcode[ctypes.get_errno()], flush=True)
def writable(what, path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
        print(what, "opened", flush=True)
    except OSError as error:
        print(what, errno.errorcode[error.errno], flush=True)
clear = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
say("mount_setattr", libc.syscall(442, fd, b"", 0x1000, clear, ctypes.c_size_t(32)))
say("remount", libc.mount(None, path, None, 0x20 | 0x1000, None))
os.close(os.open("/target", os.O_CREAT))
say("bind", libc.mount(path, b"/target", None, 0x1000, None))
tree = libc.syscall(428, fd, b"", 0x1000 | 1)
say("open_tree", tree)
writable("exe", path)
if tree >= 0:
    libc.syscall(442, tree, b"", 0x1000, clear, ctypes.c_size_t(32))
    writable("copy", b"/proc/self/fd/%d" % tree)
for what, call in (("chmod", lambda: os.chmod(path, 0o777)), ("truncate", lambda: os.truncate(path, 0)),
                   ("times", lambda: os.utime(path)), ("attribute", lambda: os.setxattr(path, "user.x", b""))):
    try:
        call()
        print(what, "done")
    except OSError as error:
        print(what, errno.errorcode[error.errno])
"""


@pytest.mark.parametrize("how", ["privileged", "capabilities"])
async def test_the_mount_cannot_be_made_writable(attacker: Attacker, how: str) -> None:
    done = await attacker.run("/proc/self/exe", "-ISc", REMOUNT, **with_python({"host": HOW[how]}))
    outcome = dict(line.split() for line in done.out.splitlines())
    changes, mounts = ("exe", "chmod", "truncate", "times", "attribute"), ("mount_setattr", "remount", "bind", "open_tree")
    assert outcome == dict.fromkeys(changes, "EROFS") | dict.fromkeys(mounts, "EINVAL"), done


#: Looks at what every other process runs or maps: whether its mount is read-only (a file that runs is busy besides), and opens it.
OPEN = """
import os
own = {n for n in os.listdir("/proc") if n.isdigit()}
print("ready", flush=True)
while True:
    for name in [n for n in os.listdir("/proc") if n.isdigit() and n not in own]:
        try:
            places = ["exe", *("map_files/" + part for part in os.listdir(f"/proc/{name}/map_files"))]
        except OSError:
            places = ["exe"]
        for place in places:
            try:
                # the process may execute its program meanwhile: all that follows is asked of the file that is opened here
                file = os.open(f"/proc/{name}/{place}", os.O_PATH)
            except OSError:
                continue
            path = f"/proc/self/fd/{file}"
            try:
                target = os.readlink(path)
                if target.endswith("/busybox"):
                    continue
                print("read-only" if os.fstatvfs(file).f_flag & os.ST_RDONLY else "writable", place[:9], target, flush=True)
                os.close(os.open(path, os.O_WRONLY))
                print("opened", target, flush=True)
            except OSError:
                pass
            finally:
                os.close(file)
"""


@pytest.mark.parametrize("capabilities", [["SYS_PTRACE"], ["SYS_PTRACE", "CHECKPOINT_RESTORE", "SYS_ADMIN"]])
async def test_what_an_exec_shows_while_it_is_born(attacker: Attacker, capabilities: list[str]) -> None:
    before = fingerprint()
    host = {"cap_add": capabilities, "pids_limit": 100, "security_opt": ["seccomp=unconfined"]}
    ident = await attacker.watcher(INTERPRETER, "-ISc", OPEN, **with_python({"host": host}))
    for _ in range(40):
        assert (await attacker.exec(ident, "true")).code == 0
    await attacker.engine.containers.kill(ident)
    said = await attacker.told(ident)
    seen = {tuple(line.split()[:2]) for line in said.splitlines()}
    assert {what for what, *_ in seen} <= {"ready", "read-only"}, said
    assert ("read-only", "exe") in seen
    assert fingerprint() == before


async def test_the_launcher_that_takes_the_place_of_a_killed_one(attacker: Attacker) -> None:
    await attacker.run("true")
    killed = launchers()
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    before = fingerprint()
    check((await attacker.poisoned(overwriting.poison, overwriting.COMMAND)).out, before)
