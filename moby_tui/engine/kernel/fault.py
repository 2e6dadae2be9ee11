"""Faults on purpose: named points in the life of a container at which a test kills a process or lets a system call fail.

Off unless ``MOBY_FAULT`` names a file when the process starts; a point then costs one call of a function that does nothing. On, every
point appends ``pid name`` to ``<file>.hits``, and does what the file asks of it, once (light imports: it runs in every monitor).

The file is one JSON object: ``point``, its name; ``hit``, at which passing (1 is the first); ``action``, ``kill`` (SIGKILL to
``victim``, a pid or the name of a process, this one if none is given), ``raise`` (an ``OSError`` with ``errno``) or ``wait``
(until ``<file>.go`` is there).
"""

from __future__ import annotations

import os

VARIABLE = "MOBY_FAULT"
_WAIT_STEP = 0.002

_file = os.environ.get(VARIABLE, "")


def point(name: str) -> None:
    """Called after a step is done. ``name`` is a literal, so that a test can collect all points from the source.

    Raises ``OSError`` if a test asks for one here.
    """
    if _file:
        _pass(name)


def _pass(name: str) -> None:
    import json

    hits = f"{_file}.hits"
    with open(hits, "a") as file:
        file.write(f"{os.getpid()} {name}\n")
    try:
        with open(_file) as file:
            plan = json.load(file)
        if plan["point"] != name:
            return
        with open(hits) as file:
            passed = sum(line.partition(" ")[2].rstrip("\n") == name for line in file)
        if passed >= plan.get("hit", 1):
            os.rename(_file, f"{_file}.fired")
            _act(plan)
    except FileNotFoundError:
        # the file asks for no fault, or the fault has happened
        return


def _act(plan: dict[str, object]) -> None:
    import time

    if plan["action"] == "raise":
        number = int(str(plan["errno"]))
        raise OSError(number, os.strerror(number))
    if plan["action"] == "kill":
        _kill(plan.get("victim"))
    while plan["action"] == "wait" and not os.path.exists(f"{_file}.go"):
        time.sleep(_WAIT_STEP)


def _kill(victim: object) -> None:
    """Leaves ``<file>.killed`` before the first is killed: with its launcher this process may end too, and leave nothing.

    A process that a test begins behind that is none of those to kill.
    """
    import signal

    own = os.getpid()
    pids = [own] if victim is None else [victim] if isinstance(victim, int) else _stopped(str(victim))
    with open(f"{_file}.killed", "w"):
        pass
    for pid in [*(pid for pid in pids if pid != own), *({own} & {*pids})]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _stopped(name: str) -> list[int]:
    """The processes of this name, which stand still now: one that has executed another program meanwhile is none of them, and goes on."""
    import signal
    from contextlib import suppress

    own, victims = os.getpid(), []
    for pid in _named(name):
        with suppress(ProcessLookupError):
            if pid != own:
                os.kill(pid, signal.SIGSTOP)
                while _state(pid) not in "TtZX":
                    pass
            if pid in _named(name):
                victims.append(pid)
            else:
                os.kill(pid, signal.SIGCONT)
    return victims


def _state(pid: int) -> str:
    """One letter (proc_pid_stat(5)); X if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][:1]
    except OSError:
        return "X"


def _named(name: str) -> list[int]:
    """The processes of this name that were started with the same file of faults."""
    mine = os.fsencode(f"{VARIABLE}={_file}")
    named = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/comm") as comm, open(f"/proc/{entry}/environ", "rb") as environment:
                if comm.read().strip() == name and mine in environment.read().split(b"\0"):
                    named.append(int(entry))
        except OSError:
            continue
    return named
