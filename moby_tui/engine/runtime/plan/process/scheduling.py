"""The steps that set how a process is scheduled, and when it is killed: sched(7), ioprio_set(2), personality(2), proc_pid_oom_score_adj(5).

OCI runtime specification, config.md.
"""

from __future__ import annotations

import ctypes
import errno
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.protocol.configuration import IoPriority, Personality, Process, Scheduler
from moby_tui.engine.runtime.plan.program import Label, Program

_POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
_IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_IO_CLASS_SHIFT, _IO_WHO_PROCESS = 13, 1
_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}
_MAX_CPUS = 8192


class _SchedAttr(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def set_priorities(program: Program, process: Process) -> None:
    """``scheduler`` and ``ioPriority`` of the process. Raises ``ValueError`` on a policy, flag or class that is none."""
    if process.scheduler is not None:
        _set_scheduler(program, process.scheduler)
    if process.io_priority is not None:
        _set_io_priority(program, process.io_priority)


def _set_io_priority(program: Program, asked: IoPriority) -> None:
    kind = _known(_IO_CLASSES, asked.kind, "I/O priority class")
    if not 0 <= asked.level <= 7:
        raise ValueError(f"I/O priority {asked.level} is not one of 0 to 7")
    program.add("set I/O priority", calls.ioprio_set, _IO_WHO_PROCESS, 0, kind << _IO_CLASS_SHIFT | asked.level)


def set_oom_score(program: Program, score: int | None) -> None:
    """``oomScoreAdj``, through the host's /proc. Where the kernel refuses to lower it, it stays what ours is."""
    if score is None:
        return
    slot, text = program.open_slot(), str(score).encode()
    name, end = "set OOM score", Label()
    program.add(name, calls.openat, mounts.AT_FDCWD, b"/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, 0, out=slot)
    program.add(name, calls.write, slot, program.keep(ctypes.create_string_buffer(text)), len(text), on={errno.EACCES: end})
    program.place(end)
    program.add("close", calls.close, slot)


def _set_scheduler(program: Program, asked: Scheduler) -> None:
    attributes = _SchedAttr(
        size=ctypes.sizeof(_SchedAttr),
        policy=_known(_POLICIES, asked.policy, "scheduling policy"),
        flags=sum(_known(_FLAGS, flag, "scheduling flag") for flag in set(asked.flags)),
        nice=asked.nice,
        priority=asked.priority,
        runtime=asked.runtime,
        deadline=asked.deadline,
        period=asked.period,
    )
    program.add("set scheduling policy", calls.sched_setattr, 0, program.keep(attributes), 0)


def set_affinity(program: Program, cpus: str) -> None:
    """The processors the process may run on (``0-3,7``). Raises ``ValueError``."""
    mask = (ctypes.c_ulong * (_MAX_CPUS // 64))()
    for number in _numbers(cpus):
        mask[number // 64] |= 1 << (number % 64)
    program.add("set processor affinity", calls.sched_setaffinity, 0, ctypes.sizeof(mask), program.keep(mask))


def _numbers(cpus: str) -> set[int]:
    numbers: set[int] = set()
    for part in cpus.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and int(first) <= int(last or first) < _MAX_CPUS):
            raise ValueError(f"bad list of processors {cpus!r}; write it as 0-3,7")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def set_personality(program: Program, asked: Personality) -> None:
    """Raises ``ValueError`` for a domain that the specification does not know; it knows no flags at all."""
    if asked.flags:
        raise ValueError("linux.personality.flags are not supported; the specification defines none")
    program.add("set personality", calls.personality, _known(_PERSONALITIES, asked.domain, "personality"))


def _known(table: dict[str, int], name: str, what: str) -> int:
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; it is one of {', '.join(table)}")
    return table[name]
