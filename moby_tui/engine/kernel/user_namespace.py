"""Makes user namespaces by descriptor: of containers, and of ID-mapped mounts (light imports).

Only a single-threaded process can make one, with the help of a child; an engine has threads. Source: user_namespaces(7).
"""

from __future__ import annotations

import os
import signal

from moby_tui.engine.kernel import calls, fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.ids import IdMap, count, lines


def make(uids: IdMap, gids: IdMap) -> int:
    """A descriptor of a new user namespace with these maps. Raises ``OSError``."""
    user, network = make_with_network(uids, gids)
    os.close(network)
    return user


def maps_of(namespace: int) -> tuple[IdMap, IdMap]:
    """The maps of an existing user namespace, as seen from this process's. Raises ``OSError``."""
    reading, tell = os.pipe2(os.O_CLOEXEC)
    hold, let_go = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(let_go)
        os.write(tell, b"t" if calls.setns(namespace, processes.CLONE_NEWUSER) == 0 else b"")
        os.close(tell)
        os.read(hold, 1)
        os._exit(0)
    os.close(tell)
    try:
        if not os.read(reading, 1):
            raise OSError("cannot join the user namespace")
        return _read_map(f"/proc/{pid}/uid_map"), _read_map(f"/proc/{pid}/gid_map")
    finally:
        for fd in (reading, hold, let_go):
            os.close(fd)
        os.waitpid(pid, 0)


def _read_map(path: str) -> IdMap:
    with open(path) as file:
        rows = [[int(word) for word in line.split()] for line in file]
    return [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in rows]


def make_with_network(uids: IdMap, gids: IdMap, joined: int = -1) -> list[int]:
    """Descriptors of a new user namespace, or of ``joined``, and of a new network namespace that belongs to it.

    A child makes them, and has ended when this returns. Raises ``OSError``.
    """
    mapped, map_it = os.pipe2(os.O_CLOEXEC)
    reading, tell = os.pipe2(os.O_CLOEXEC)
    pid = processes.Clone(0 if joined >= 0 else processes.CLONE_NEWUSER)()
    if pid == 0:
        _be_inside(joined, mapped, map_it, tell)
    if pid < 0:
        raise OSError(-pid, "make a user namespace")
    os.close(tell)
    try:
        if joined < 0:
            _write_maps(pid, uids, gids)
        os.write(map_it, b"m")
        if not os.read(reading, 1):
            raise OSError("make a network namespace: the process that was to do it has ended")
        fault.point("userns.made")
        return [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for fd in (mapped, map_it, reading):
            os.close(fd)


def _be_inside(joined: int, mapped: int, map_it: int, tell: int) -> None:
    """In the new process; never returns. Its network namespace belongs to the user namespace it is made in."""
    try:
        os.close(map_it)
        ready = os.read(mapped, 1) and (joined < 0 or calls.setns(joined, processes.CLONE_NEWUSER) == 0)
        if ready and calls.unshare(processes.CLONE_NEWNET) == 0:
            os.write(tell, b"t")
            # until the process that wanted them kills this one, or has been killed itself
            os.read(mapped, 1)
    finally:
        os._exit(1)


def _write_maps(pid: int, uids: IdMap, gids: IdMap) -> None:
    """Writes the maps. With a single id, setgroups is refused: dropping a group could only widen what a process may read (CVE-2014-8989)."""
    if may_not_set_groups(gids):
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", lines(uids))
    _write(f"/proc/{pid}/gid_map", lines(gids))


def may_not_set_groups(gids: IdMap) -> bool:
    return bool(gids) and count(gids) == 1


def _write(path: str, text: str) -> None:
    # a map is written in a single write(2)
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
