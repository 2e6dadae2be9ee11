"""Ending a container: signals, stop, and its removal."""

from __future__ import annotations

import asyncio
import signal as signals
from contextlib import suppress
from typing import TYPE_CHECKING

from moby_tui.engine.containers.ending.exit_wait import LOOK_AGAIN_SECONDS, ExitWait, engine_closed, wait
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import orphans
from moby_tui.engine.kernel import fault
from moby_tui.engine.protocol import control
from moby_tui.engine.runtime.client import attachment, monitor_process
from moby_tui.engine.runtime.client import monitor as monitor_client
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import State
from moby_tui.engine.tasks import in_own_thread
from moby_tui.errors import Conflict, NotFound, NotModified, StorageFull, Unavailable
from moby_tui.stop_signal import DEFAULT_STOP_SECONDS, is_sent, parse_signal

if TYPE_CHECKING:
    from moby_tui.engine.events.bus import Subscription

#: What a signal is for (``control.Signal.stop``).
BY_HAND, AT_SHUTDOWN, TO_RUN_AGAIN = "hand", "shutdown", "again"
#: The signals that end a process. After one of them the restart policy does not start the container again.
_ENDING = frozenset((signals.SIGKILL, signals.SIGTERM, signals.SIGINT, signals.SIGQUIT))


async def kill(parts: Parts, record: ContainerRecord, signal: int, *, purpose: str = BY_HAND) -> None:
    """Sends a signal to a container. After SIGKILL waits for its end, and kills a monitor that does not answer.

    Raises ``Conflict`` if the container does not run, ``Unavailable`` if its monitor does not answer to another signal.
    """
    if await _kill(parts, record, signal, purpose=purpose):
        return
    # a monitor that was stopped (SIGSTOP) after its answer publishes no end: the signal is sent again
    with suppress(Conflict):
        while not await _kill(parts, record, signal, purpose=purpose):
            pass


async def _kill(parts: Parts, record: ContainerRecord, signal: int, *, purpose: str) -> bool:
    """Sends a signal. False if it was SIGKILL, and the container has not ended in the time that its monitor has for an answer."""
    state = parts.state(record)
    if not state.alive or parts.is_orphan(record, state):
        raise Conflict(f"cannot kill container: {record.name}: container {record.id} is not running")
    waiter = wait(parts, record, "not-running") if signal == signals.SIGKILL else None
    try:
        try:
            await _signal(parts, record, state, signal, purpose=purpose)
        except Unavailable:
            if waiter is None:
                raise
            await _end_with_monitor(parts, record, purpose=purpose)
        if waiter is not None:
            await waiter.result(parts.patience(record))
    except TimeoutError:
        return False
    finally:
        if waiter is not None:
            await waiter.close()
    return True


async def _signal(parts: Parts, record: ContainerRecord, state: State, signal: int, *, purpose: str) -> None:
    """What ends the container keeps it from being started again; by a daemon that begins, too, if it was done by hand."""
    ends = signal in _ENDING or signal == parse_signal(record.config.stop_signal or "TERM") or purpose == TO_RUN_AGAIN
    ends_alone = state.status != "paused" and record.host_config.restart_policy.name in ("", "no")
    if ends_alone and parts.is_cut_off(record, state):
        # its monitor waits for it all the same, and tells of its end
        if not monitor_process.send(state.pid, state.pid_started, signal):
            raise parts.cut_off(record)
        parts.event("kill", record, signal=str(signal))
        return
    if state.status == "paused" and signal == signals.SIGKILL:
        # a frozen process of cgroup v1 does not die before it is thawed
        await parts.request(record, control.Thaw())
    fault.point("kill.asked")
    await parts.request(record, control.Signal(signal=signal, stop=purpose if ends else ""))
    fault.point("kill.sent")
    if state.status == "restarting":
        return
    parts.event("kill", record, signal=str(signal))


async def _end_with_monitor(parts: Parts, record: ContainerRecord, *, purpose: str) -> None:
    """Kills a monitor that does not answer, and with it the container, which is not started again for it.

    Raises ``Unavailable`` if the monitor does not even die: it waits in the kernel.
    """
    lock = await parts.acquire(record)
    try:
        state = parts.state(record)
        _kill_monitor(parts, record, state)
        await parts.until_put_away(record, monitor_client.ANSWER_SECONDS)
        if orphans.needs_settling(parts, record):
            state.stopped = purpose == BY_HAND
            await orphans.settle(parts, record, state)
    finally:
        lock.release()


async def stop(parts: Parts, record: ContainerRecord, timeout: int | None, signal: str, *, purpose: str = BY_HAND) -> None:
    """Asks the container to end, and kills it after ``timeout`` seconds (negative: never), or at once where its monitor does not answer.

    One that was not stopped by hand is started again by the next daemon, as its policy says. Raises ``NotModified`` if it does not
    run, ``Unavailable`` where its monitor does not answer and it is not to be killed.
    """
    await _stop(parts, record, timeout, signal, purpose=purpose)
    fault.point("stop.ended")
    parts.event("stop", record)


async def stop_to_run_again(parts: Parts, record: ContainerRecord, timeout: int | None, signal: str) -> None:
    """As ``stop``; then its monitor starts it again, so that one that goes with its end does not go. Returns when it runs.

    Raises ``Conflict`` if it does not start, and so is gone.
    """
    begun = parts.bus.subscribe(filters={"type": ["container"], "container": [record.id], "event": ["start", "destroy"]})
    try:
        await _stop(parts, record, timeout, signal, purpose=TO_RUN_AGAIN)
        await _until_begun(parts, record, begun)
    finally:
        begun.close()


async def _until_begun(parts: Parts, record: ContainerRecord, begun: Subscription) -> None:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                async for event in begun:
                    if event.action == "start":
                        return
                    break
                else:
                    raise engine_closed(record)
        state = parts.state(record)
        if not state.alive or parts.is_orphan(record, state):
            raise Conflict(f"container {record.name} has ended and did not start again")


async def _stop(parts: Parts, record: ContainerRecord, timeout: int | None, signal: str, *, purpose: str) -> None:
    state = parts.state(record)
    if not state.alive or parts.is_orphan(record, state):
        raise NotModified(f"container {record.name} is stopped already")
    number = parse_signal(signal or record.config.stop_signal or "TERM")
    seconds = timeout if timeout is not None else record.config.stop_timeout
    seconds = DEFAULT_STOP_SECONDS if seconds is None else seconds
    waiter = wait(parts, record, "not-running")
    try:
        await _end(parts, record, state, waiter, number, seconds, purpose=purpose)
    finally:
        await waiter.close()


async def _end(
    parts: Parts, record: ContainerRecord, state: State, waiter: ExitWait, signal: int, seconds: float, *, purpose: str
) -> None:
    if not is_sent(signal):
        # no process ends on it: as with dockerd, the container is killed
        signal = signals.SIGKILL
    # it may be ending by itself
    with suppress(Conflict):
        try:
            await _signal(parts, record, state, signal, purpose=purpose)
        except Unavailable:
            if seconds < 0:
                raise
            await _end_with_monitor(parts, record, purpose=purpose)
    try:
        await waiter.result(None if seconds < 0 else seconds)
    except TimeoutError:
        with suppress(Conflict):
            await kill(parts, record, signals.SIGKILL, purpose=purpose)


async def remove(parts: Parts, record: ContainerRecord, ref: str, *, force: bool, volumes: bool) -> None:
    """Removes a container. Raises ``Conflict`` if it runs and ``force`` is not given; the text has ``ref``, the caller's name for it."""
    while not await _remove_unless_running(parts, record, force=force, volumes=volumes):
        if not force:
            status = parts.state(record).status
            hint = f"is {status}: stop the container before removing or force remove"
            if status == "paused":
                hint = "is paused and must be unpaused first"
            raise Conflict(f'cannot remove container "{ref}": container {hint}')
        with suppress(Conflict):
            await kill(parts, record, signals.SIGKILL)
        await wait(parts, record, "not-running").result()


async def _remove_unless_running(parts: Parts, record: ContainerRecord, *, force: bool, volumes: bool) -> bool:
    with refusals_told(parts.paths.data_root):
        return await _remove_stopped(parts, record, force=force, volumes=volumes)


async def _remove_stopped(parts: Parts, record: ContainerRecord, *, force: bool, volumes: bool) -> bool:
    """Removes the container, unless it runs, under its lock: a process that starts it holds the same lock."""
    try:
        lock = await parts.acquire(record)
    except NotFound:
        if not record.host_config.auto_remove:
            raise
        # its monitor has removed it meanwhile
        parts.forget(record)
        return True
    try:
        files = parts.files(record)
        state = parts.state(record)
        if parts.is_orphan(record, state):
            await orphans.settle(parts, record, state)
        elif state.alive:
            return False
        fault.point("remove.locked")
        await _until_put_away(parts, record, state, force=force)
        if orphans.needs_settling(parts, record):
            await orphans.settle(parts, record, parts.state(record))
        attachment.dismiss(files.attachments)
        was_there = files.data.exists()
        if was_there and parts.options().history_size and _has_log(files):
            from moby_tui.engine.containers import log_tail

            await in_own_thread(log_tail.keep, parts, record, state.exit_code)
        await in_own_thread(orphans.remove_files, files.data)
        fault.point("remove.data removed")
        if was_there:
            parts.event("destroy", record)
        # on a disk that is still full, an engine that finds space deletes the row of a container without files
        with suppress(StorageFull):
            parts.store.delete(record.id)
            fault.point("remove.row deleted")
            if record.anonymous_volumes and (volumes or record.host_config.auto_remove):
                parts.volumes.remove_anonymous(record.anonymous_volumes)
        fault.point("remove.volumes removed")
        await in_own_thread(orphans.remove_files, files.run)
        fault.point("remove.done")
    finally:
        lock.release()
    return True


def _has_log(files: ContainerPaths) -> bool:
    """False for a container that has written nothing: the modules that read logs are not imported for it."""
    for path in (files.log, files.local_log):
        with suppress(OSError):
            if path.stat().st_size:
                return True
    return False


async def _until_put_away(parts: Parts, record: ContainerRecord, state: State, *, force: bool) -> None:
    """By force, a monitor that does not come to an end is killed."""
    if not force:
        await parts.until_put_away(record)
        return
    try:
        await parts.until_put_away(record, monitor_client.ANSWER_SECONDS)
    except Unavailable:
        _kill_monitor(parts, record, state)
        await parts.until_put_away(record)


def _kill_monitor(parts: Parts, record: ContainerRecord, state: State) -> None:
    monitor_process.end(state.monitor, parts.files(record).monitor_lock)
