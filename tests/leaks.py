"""What a test or the session leaves behind, and the means to sweep it up.

A leak is blamed on the test whose root it belongs to where that can be told (processes, cgroups, files), and on the
session otherwise (mounts, interfaces, nft tables: all workers share the session's namespaces).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import namespaces
from namespaces import SESSION

#: In the environment of every process that a test starts: the folder that holds its roots.
ROOT = "MOBY_TEST_ROOT"
CGROUPS = Path("/sys/fs/cgroup")
#: What the engine makes under /var/lib/moby: the machine's own containers may start meanwhile.
SYSTEM_ROOTS = (Path("/var/lib/moby"), Path("/run/moby"))
SYSTEM_NETWORK = frozenset({"nft table moby", "interface moby0"})
#: Of these none is started by a test itself, but launchers.
OURS = frozenset({"moby-launcher", "moby-standby", "moby-monitor", "moby-names"})
PATIENCE = 5.0
_ID = re.compile(rb"\b[0-9a-f]{64}\b")


def settled(leaks: Callable[[], list[str]]) -> list[str]:
    """Looks again for a while: an end is not instant. Returns what is still there."""
    deadline = time.monotonic() + PATIENCE
    while (found := leaks()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


# -- one test --------------------------------------------------------------------------------------------------------


def of_test(base: Path) -> list[str]:
    """Processes and cgroups that belong to the roots under ``base``."""
    processes = [f"process {pid}: {_command(pid)}" for pid in _with_environment(ROOT, str(base))]
    return processes + [f"cgroup {path}" for path in _cgroups(base)]


def sweep_test(base: Path, *, clean: bool = False) -> None:
    """Kills and removes all of it, whatever state the test left it in, and then the folder. ``clean``: no process is left."""
    for pid in () if clean else _with_environment(ROOT, str(base)):
        _kill(pid)
    for path in _cgroups(base):
        _empty_cgroup(path)
    _remove_network(base)
    for point in reversed(_mounts_below(base)):
        subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(base)


def reap_adopted() -> None:
    """Reaps those of our processes that this one has adopted, and that have ended: else thousands of a session's would be left, and every
    look at all processes take long. The launchers that this process has started are reaped by the next one's start."""
    from moby_tui.engine.runtime.launcher import spawning

    pids = {int(word) for task in Path("/proc/self/task").iterdir() for word in (task / "children").read_text().split()}
    for pid in pids.difference(spawning._spawned):
        with contextlib.suppress(OSError):
            if (Path(f"/proc/{pid}") / "comm").read_text().strip() in OURS:
                os.waitpid(pid, os.WNOHANG)


def _remove_network(base: Path) -> None:
    """The networks of each root: as Docker's, their bridges and the firewall's tables stay when the engine goes."""
    from moby_tui.engine.store.paths import Paths

    links = {name for _, name in socket.if_nameindex()}
    for data_root in base.iterdir():
        name = f"moby-{Paths(data_root, data_root).instance}"
        bridges = links & {name, *(f"br-{record.stem[:12]}" for record in data_root.glob("networks/*.json"))}
        for command in [["ip", "link", "delete", bridge] for bridge in bridges]:
            subprocess.run(command, check=False, capture_output=True)
        # most tests have no network: an engine that had one keeps its leases, unless the test wiped them
        if bridges or any(base.glob("*/networks/*")):
            for family in ("ip", "ip6"):
                subprocess.run(["nft", "delete", "table", family, name], check=False, capture_output=True)


def named_ids(data_root: Path) -> set[str]:
    """Ids of all containers and networks that a data root ever had: the journal names also those that are gone."""
    journals = [path for path in data_root.glob("events/*") if path.is_file()]
    return {match.decode() for path in journals for match in _ID.findall(path.read_bytes())}


def _container_ids(*bases: Path) -> set[str]:
    """Ids of all containers that the roots ever had, and of more."""
    named = set[str]().union(*(named_ids(root) for base in bases for root in base.glob("*/")))
    return named | {path.name for base in bases for path in base.glob("*/containers/*")}


def _cgroups(*bases: Path) -> list[Path]:
    ids = _container_ids(*bases)
    return [parent / container for parent in _parents() for container in ids if (parent / container).exists()]


def _parents() -> list[Path]:
    """The cgroup of all containers, in each hierarchy."""
    return [path for path in (CGROUPS / "moby", *CGROUPS.glob("*/moby")) if path.exists()]


def _empty_cgroup(top: Path) -> None:
    """Kills what is in a cgroup and below, and removes it."""
    for folder in sorted(top.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        deadline = time.monotonic() + PATIENCE
        while pids := (folder / "cgroup.procs").read_text().split():
            for pid in pids:
                _kill(int(pid))
            _thaw(folder)
            if time.monotonic() > deadline:
                raise AssertionError(f"{folder} cannot be emptied: {pids}")
            time.sleep(0.02)
        folder.rmdir()


def _thaw(folder: Path) -> None:
    """A frozen process of cgroup version 1 does not die before it is thawed."""
    freezer = folder / "freezer.state"
    if freezer.exists():
        freezer.write_text("THAWED")


def _mounts_below(base: Path) -> list[str]:
    return [point for point in _mount_points(Path("/proc/self/mountinfo").read_text()) if point.startswith(f"{base}/")]


# -- the session -----------------------------------------------------------------------------------------------------


def processes_of(session: str) -> list[int]:
    """The live processes of the session with this folder, but for this one."""
    return _with_environment(SESSION, session)


def sweep_killed_sessions() -> None:
    """Ends the processes of sessions that were killed, and of their containers, and removes their control groups and folders."""
    for session in namespaces.killed_sessions():
        for pid in processes_of(str(session)):
            _kill(pid)
        # what cannot be swept now is left, with the folder that names it, to the next session
        with contextlib.suppress(OSError, AssertionError):
            for path in _cgroups(*session.iterdir()):
                _empty_cgroup(path)
            shutil.rmtree(session)


class Session:
    """Compares the end of the session with its beginning.

    Made before the session enters its namespaces, so that the machine's own mount table and network stay in sight.
    """

    def __init__(self) -> None:
        # Both keep showing the namespace they were opened in.
        self._machine_mounts = open("/proc/self/mountinfo")  # noqa: SIM115
        self._machine_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._moby_is_in_use = any(path.exists() for path in SYSTEM_ROOTS)
        self._machine_before = set(self._machine_networks())

    def begin(self, folder: Path) -> None:
        """Takes the inventory inside the namespaces."""
        self._folder = folder
        self._before = set(self._inventory())
        self._parents_before = set(_parents())

    def leaks(self) -> list[str]:
        return sorted(set(self._inventory()) - self._before) + list(self._strays())

    def close(self) -> None:
        """Ends what is left of the session, once it has been told, and removes its folder."""
        self._machine_mounts.close()
        os.close(self._machine_network)
        for pid in processes_of(str(self._folder)):
            _kill(pid)
        for parent in set(_parents()) - self._parents_before:
            with contextlib.suppress(OSError):  # another session's containers may be in it by now
                parent.rmdir()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _inventory(self) -> Iterator[str]:
        """What the session's namespaces hold."""
        for point in _mount_points(Path("/proc/self/mountinfo").read_text()):
            yield f"mount on {point}"
        for link in _json("ip", "-json", "link"):
            yield f"interface {link['ifname']}"
        for item in _json("nft", "--json", "list", "tables")["nftables"]:
            if "table" in item:
                yield f"nft table {item['table']['family']} {item['table']['name']}"

    def _strays(self) -> Iterator[str]:
        """What is of this session and outside its namespaces, or alive after its end."""
        self._machine_mounts.seek(0)
        for point in _mount_points(self._machine_mounts.read()):
            if point.startswith(str(self._folder)):
                yield f"mount on {point} in the machine's namespace"
        for name in set(self._machine_networks()) - self._machine_before:
            if not (self._moby_is_in_use and name in SYSTEM_NETWORK):
                yield f"{name} in the machine's namespace"
        for pid in processes_of(str(self._folder)):
            yield f"process {pid}: {_command(pid)}"
        for path in self._folder.iterdir():
            if path.name not in ("tmp", namespaces.LOCK):
                yield f"file {path}"
        for path in (self._folder / "tmp").iterdir():
            if not path.name.startswith("pytest-of-"):
                yield f"file {path}"
        for path in SYSTEM_ROOTS:
            if path.exists() and not self._moby_is_in_use:
                yield f"the system's own root {path}"

    def _machine_networks(self) -> Iterator[str]:
        """What moby, of any data root, has in the network namespace that the session came from."""
        machine = f"/proc/{os.getpid()}/fd/{self._machine_network}"
        for item in _json("nsenter", f"--net={machine}", "nft", "--json", "list", "tables")["nftables"]:
            if "table" in item and item["table"]["name"].startswith("moby"):
                yield f"nft table {item['table']['name']}"
        for link in _json("nsenter", f"--net={machine}", "ip", "-json", "link"):
            if link["ifname"].startswith("moby"):
                yield f"interface {link['ifname']}"


# -- reading the kernel ----------------------------------------------------------------------------------------------


def _mount_points(mountinfo: str) -> list[str]:
    return [line.split()[4] for line in mountinfo.splitlines()]


def _json(*command: str) -> Any:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def _with_environment(name: str, value: str) -> list[int]:
    """Live processes (zombies have no environment) that were started with this variable, but for this one."""
    wanted = os.fsencode(f"\0{name}={value}\0")
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and wanted in b"\0" + _environment(pid)]


def _environment(pid: int) -> bytes:
    """Every variable with a NUL behind it; nothing of a process that is gone. Each look reads this of all processes of the machine."""
    try:
        opened = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(opened, 1 << 22)
    except OSError:
        return b""
    finally:
        os.close(opened)


def _command(pid: int) -> str:
    """The process's name, which tells what a fork of the launcher has become, and its command line."""
    try:
        folder = Path(f"/proc/{pid}")
        line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"{(folder / 'comm').read_text().strip()}: {line}"
    except OSError:
        return "gone"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
