"""Cleans up after a killed monitor, or after a crash of the machine: one container. Runs in the next engine that finds it."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.containers.parts import KILLED, Parts
from moby_tui.engine.kernel import cgroup as cgroups
from moby_tui.engine.kernel import fault
from moby_tui.engine.resources.networks import left
from moby_tui.engine.runtime.client import monitor_process
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import LIMITED, STATE_FILE, State, now
from moby_tui.engine.tasks import in_own_thread

if TYPE_CHECKING:
    from moby_tui.engine.kernel.cgroup.group import Cgroup


def needs_settling(parts: Parts, record: ContainerRecord) -> bool:
    """True if something is left of a run, or of a start, whose monitor was killed."""
    state = parts.state(record)
    if parts.is_orphan(record, state):
        return True
    if not state.alive and left.is_any_of(parts.paths.networks, record.id):
        return True
    files = parts.files(record)
    if state.alive or not files.monitor_lock.exists() or monitor_process.is_alive(files.monitor_lock):
        return False
    if record.host_config.auto_remove and (state.status == "exited" or _is_partly_removed(files)):
        return True
    # a monitor that was killed before it wrote a state may have made the control group
    return cgroups.exists(parts.cgroup_path(record))


def _is_partly_removed(files: ContainerPaths) -> bool:
    """True if the container's folder has no record: the process that removed the container was killed meanwhile."""
    return files.data.exists() and not any(
        (files.data / name).exists() for name in (record_files.RECORD, record_files.UNCOMMITTED)
    )


async def settle_locked(parts: Parts, record: ContainerRecord) -> State | None:
    """Cleans up after the container's monitor, if no process holds the container's lock.

    Returns the new state; None if there was nothing to clean up, or if another process has the lock.
    """
    lock = parts.lock(record)
    # the process that has the lock starts or removes the container, and cleans up itself
    if not lock.try_acquire():
        return None
    try:
        state = parts.state(record)
        if needs_settling(parts, record):
            return await settle(parts, record, state)
        return None
    finally:
        lock.release()


async def settle(parts: Parts, record: ContainerRecord, state: State, *, remove: bool = True) -> State:
    """Kills the processes of a run without a monitor, undoes its networks and mounts, and writes the state ``exited``. Returns that state.

    The caller holds the container's lock. A container with ``--rm`` is removed, unless ``remove`` is false: then the caller starts it again.
    """
    files = parts.files(record)
    cgroup = cgroups.open_cgroup(parts.cgroup_path(record))
    if state.boot in ("", parts.boot) and cgroup.exists():
        await in_own_thread(_end, cgroup)
        fault.point("settle.cgroup ended")
    await parts.networks.sandboxes.reconcile()
    fault.point("settle.networks undone")
    await parts.volumes.mounts.unmount_unused()
    if not state.alive:
        state.pid = 0
    else:
        started_at = state.started_at
        reason = "its monitor was killed" if state.boot == parts.boot else "the machine went down while it ran"
        state = State(
            status="exited",
            started_at=state.started_at,
            finished_at=now(),
            exit_code=KILLED,
            error=f"the container was ended: {reason}",
            restart_count=state.restart_count,
            stopped=state.stopped,
        )
        _end_executions(files.execs)
        parts.event("die", record, exitCode=str(KILLED), execDuration=str(_seconds_since(started_at)))
    fault.point("settle.die told")
    _write_state(state, files.state)
    fault.point("settle.state written")
    files.socket.unlink(missing_ok=True)
    if remove and record.host_config.auto_remove:
        await in_own_thread(remove_files, files.data, files.run)
        parts.event("destroy", record)
    return state


def _end_executions(folder: Path) -> None:
    """Marks the execs of the run as ended. An exec whose record is damaged, or cannot be written, stays as it is recorded."""
    # imported here, since few monitors are killed
    from moby_tui.engine.containers import execs

    with suppress(OSError, ValueError):
        execs.end_all(folder)


def _seconds_since(started_at: str) -> int:
    """Whole seconds since a time in RFC 3339; 0 for an unknown time."""
    # imported here, since few monitors are killed
    from moby_tui.engine.containers.views.view import parse_time

    started = parse_time(started_at)
    return int(max(0.0, time.time() - started)) if started else 0


def _write_state(state: State, path: Path) -> None:
    """Writes the state. On a read-only disk it is not written: the next engine cleans up again."""
    try:
        state.write(str(path))
    except OSError as error:
        if error.errno != errno.EROFS:
            raise


def _end(cgroup: Cgroup) -> None:
    cgroup.kill()
    cgroup.remove()


def remove_files(*folders: Path) -> None:
    """Removes folders of a container, its state file last."""
    from moby_tui.engine.kernel.removal import remove_with_mount

    for folder in folders:
        remove_with_mount(str(folder), STATE_FILE, LIMITED)
