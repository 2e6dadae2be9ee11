"""Namespaces that a container does not get new by its clone: those joined by path, and the time namespace with its offsets."""

from __future__ import annotations

import errno
import fcntl
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Linux
from moby_tui.errors import MobyError

#: In the order of entering: type, the name in /proc/self/ns for what children get, the flag.
_KINDS = (
    ("ipc", "ipc", processes.CLONE_NEWIPC),
    ("uts", "uts", processes.CLONE_NEWUTS),
    ("network", "net", processes.CLONE_NEWNET),
    ("cgroup", "cgroup", processes.CLONE_NEWCGROUP),
    ("time", "time", processes.CLONE_NEWTIME),
)
#: ioctl_nsfs(2)
_NS_GET_NSTYPE = 0xB703
_CLOCKS = {"monotonic": "monotonic", "boottime": "boottime"}


def open_pid(linux: Linux) -> int:
    """The pid namespace that the configuration names by path, -1 if it names none. Raises ``MobyError`` if the path is none.

    The first process joins it itself, as its last step.
    """
    path = next((namespace.path for namespace in linux.namespaces if namespace.type == "pid"), "")
    if not path:
        return -1
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal("pid", path, error) from error
    try:
        if fcntl.ioctl(opened, _NS_GET_NSTYPE) == processes.CLONE_NEWPID:
            return opened
        refusal = OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    except OSError as error:
        refusal = error
    os.close(opened)
    raise _refusal("pid", path, refusal)


def _refusal(kind: str, path: str, error: OSError) -> MobyError:
    return MobyError(f"cannot join {kind} namespace {path}: {(error.strerror or '').lower()}")


class Joined:
    """While it is entered, a child that is made is born in the namespaces that the configuration names by path."""

    def __init__(self, linux: Linux) -> None:
        self._asked = {namespace.type: namespace.path for namespace in linux.namespaces}
        self._offsets = linux.time_offsets
        self._back: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        """Raises ``MobyError`` if a path is no namespace of its type."""
        for kind, name, flag in _KINDS:
            path = self._asked.get(kind)
            if path:
                self._remember(name, flag)
                self._join(kind, path, flag)
            elif path is not None and kind == "time":
                self._remember(name, flag)
                self._new_time()

    def _remember(self, name: str, flag: int) -> None:
        self._back.append((os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), flag))

    def _join(self, kind: str, path: str, flag: int) -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _refusal(kind, path, error) from error
        result = calls.setns(fd, flag)
        os.close(fd)
        if result < 0:
            raise MobyError(f"cannot join {kind} namespace {path}: {os.strerror(calls.errno_now()).lower()}")

    def _new_time(self) -> None:
        if calls.unshare(processes.CLONE_NEWTIME) < 0:
            raise MobyError(f"cannot make a time namespace: {os.strerror(calls.errno_now()).lower()}")
        lines = []
        for clock, offset in self._offsets.items():
            if clock not in _CLOCKS:
                raise MobyError(f"linux.timeOffsets: unknown clock {clock!r}; it is monotonic or boottime")
            lines.append(f"{clock} {offset.seconds} {offset.nanoseconds}\n")
        if lines:
            with open("/proc/self/timens_offsets", "w") as file:
                file.write("".join(lines))

    def __exit__(self, *exc: object) -> None:
        for fd, flag in reversed(self._back):
            calls.setns(fd, flag)
            os.close(fd)
