"""Cleans up after killed monitors and after a crash of the machine. Runs in an engine that opens the data root."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import orphans
from moby_tui.engine.kernel.cgroup import detect, remove_abandoned, remove_empty
from moby_tui.engine.kernel.cgroup.layout import CGROUP_PARENT, CGROUP_PREFIX, MONITORS
from moby_tui.engine.resources.networks import left
from moby_tui.engine.runtime.client import monitor_process
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import State
from moby_tui.errors import NotFound


async def settle_all(parts: Parts) -> None:
    """Cleans up containers, volumes and networks. The first engine after a boot looks at all containers, later ones at those with a folder
    in the exec root: those that were started since the boot."""
    marker = parts.paths.exec_root / f"settled-{parts.boot}"
    names = os.listdir(parts.paths.exec_root / "containers") if marker.exists() else [record.id for record in parts.store.list()]
    due = []
    for name in names:
        try:
            record = parts.get(name)
        except NotFound:
            _discard(parts, name)
            continue
        if orphans.needs_settling(parts, record):
            here = parts.state(record).boot == parts.boot
            settled = await orphans.settle_locked(parts, record)
            if settled is not None and here and _is_due(record, settled):
                due.append(record)
    if _is_any_volume_left(parts):
        await parts.volumes.settle()
    if left.is_any(parts.paths.networks):
        await parts.networks.sandboxes.reconcile()
    # made last: if this engine is killed before, the next one looks at all containers again
    marker.touch()
    layout = detect()
    remove_abandoned(CGROUP_PARENT, CGROUP_PREFIX, layout)
    remove_empty(MONITORS, layout)
    # ``due`` are containers of this boot only: a daemon that begins starts those that a reboot has ended
    if due:
        # imported here, since few engines find any
        from moby_tui.engine.containers.start import resuming

        await resuming.start_due(parts, due)


def _is_due(record: ContainerRecord, settled: State) -> bool:
    """True if the container's restart policy starts it again after its monitor was killed."""
    # imported here, since few engines find any
    from moby_tui.engine.containers.start import restarting

    return restarting.is_due(record, settled, at_boot=False)


def _is_any_volume_left(parts: Parts) -> bool:
    """True if killed processes may have left something of volumes: the lock of a mounted one, the record of one that a plug-in has mounted,
    or a folder of a removal, rename or clone."""
    for folder in (parts.paths.mounted_volumes, parts.paths.plugin_mounts):
        with suppress(FileNotFoundError):
            if os.listdir(folder):
                return True
    with suppress(FileNotFoundError):
        return any(name.startswith(".") and name != ".lock" for name in os.listdir(parts.paths.volumes))
    return False


def _discard(parts: Parts, name: str) -> None:
    """Deletes a folder without a row: its creator or remover was killed, and no process can use the container."""
    files = parts.paths.container(name)
    if not monitor_process.is_alive(files.monitor_lock):
        orphans.remove_files(files.run)


def discard_unborn(parts: Parts, idents: Iterable[str]) -> None:
    """Deletes the folders of containers whose creator was killed before it committed the row (``store/losses.py`` finds them)."""
    for ident in idents:
        orphans.remove_files(parts.paths.container(ident).data)
