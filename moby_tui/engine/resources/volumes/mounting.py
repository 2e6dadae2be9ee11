"""Volumes that are mounted only while they are used: file systems of their own (``type``, ``o``, ``device``), and those of plug-ins.

Each process that uses such a volume holds a descriptor of its lock; a container's monitor holds one until the container ends. The process
that finds a lock that no other process holds unmounts the volume.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.containers import MountPoint
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.engine.tasks import in_own_thread, in_thread
from moby_tui.errors import Conflict

if TYPE_CHECKING:
    from moby_tui.engine.resources.volumes.plugin_volumes import PluginVolumes

Mounts = list[MountPoint]


class Held(msgspec.Struct):
    """Volumes that stay mounted for as long as this process has these descriptors open. Other processes may hold the same volumes.

    ``locks`` are the descriptors of volumes that are file systems of their own, by the path where each is mounted. ``records`` are the
    descriptors of volumes of plug-ins, by the path of the mount's record. ``places`` has the path where each volume of a plug-in is
    mounted, by its name.
    """

    locks: dict[str, int] = {}
    records: dict[str, int] = {}
    places: dict[str, str] = {}

    def close(self) -> None:
        """Closes the descriptors. ``VolumeMounts.unmount_released`` then unmounts what no other process holds."""
        for fd in (*self.locks.values(), *self.records.values()):
            os.close(fd)

    def with_places(self, mounts: Mounts) -> Mounts:
        """The mounts, those of plug-ins' volumes with the path where each is mounted as their source."""
        return [
            msgspec.structs.replace(mount, source=self.places[mount.name])
            if mount.type == "volume" and mount.name in self.places
            else mount
            for mount in mounts
        ]


class VolumeMounts:
    """Mounts and unmounts the volumes of one data root, together with the other processes that use it."""

    def __init__(
        self,
        paths: Paths,
        find: Callable[[str], VolumeRecord | None],
        make_folders: Callable[[str], None],
        plugins: Callable[[], PluginVolumes],
    ) -> None:
        self._folder = paths.volumes
        self._locks = paths.mounted_volumes
        self._plugin_mounts = paths.plugin_mounts
        self._find = find
        self._make_folders = make_folders
        self._plugins = plugins

    async def hold(self, mounts: Mounts) -> Held:
        """Mounts those volumes of the mounts that are file systems of their own, and has plug-ins mount theirs.

        Returns the descriptors that hold them. Raises ``MobyError``, after an error holds nothing.
        """
        held = Held()
        try:
            for name in {mount.name for mount in mounts if mount.type == "volume"}:
                volume = self._find(name)
                if volume is not None and volume.driver != "local":
                    await in_own_thread(self._hold_by_plugin, volume, held)
                elif volume is not None and volume.options:
                    await in_thread(self._hold, volume, volume.options, held)
        except BaseException:
            held.close()
            await self.unmount_released(held)
            raise
        return held

    def _hold_by_plugin(self, volume: VolumeRecord, held: Held) -> None:
        path, fd, place = self._plugins().hold(volume)
        held.records[path], held.places[volume.name] = fd, place

    def _hold(self, volume: VolumeRecord, options: dict[str, str], held: Held) -> None:
        """Mounts one volume that is a file system of its own. Runs on a thread, and adds to ``held``, from which a caller that is cancelled
        meanwhile releases it."""
        from moby_tui.engine.kernel import shared_mount
        from moby_tui.engine.resources.volumes import driver_options

        folder = self._folder / volume.name
        if not driver_options.has_mount(options, folder):
            return
        self._make_folders(volume.name)
        self._locks.mkdir(mode=0o700, exist_ok=True)
        held.locks[volume.mountpoint] = shared_mount.hold(
            self.lock_of(volume.mountpoint), volume.mountpoint, lambda: driver_options.mount(options, folder)
        )

    async def unmount_released(self, held: Held) -> None:
        """Unmounts those of ``held`` that no process holds any more. The caller has closed its own descriptors before."""
        await self._unmount_unheld(held.locks)
        await self._let_plugins_unmount(held.records, looking=False)

    async def _let_plugins_unmount(self, records: Iterable[str], *, looking: bool) -> None:
        for record in records:
            from moby_tui.engine.plugins import volume_mounts

            with contextlib.suppress(OSError):  # ``unmount_unused`` of the next engine tries again
                await in_own_thread(volume_mounts.let_go, record, looking=looking)

    async def _unmount_unheld(self, mountpoints: Iterable[str]) -> None:
        for mountpoint in mountpoints:
            from moby_tui.engine.kernel import shared_mount

            with contextlib.suppress(OSError):  # the removal of the volume tries again, and raises the error
                await in_thread(shared_mount.let_go, self.lock_of(mountpoint), mountpoint)

    async def unmount_unused(self) -> None:
        """Unmounts every volume that no process holds: the process that mounted it may have been killed."""
        with contextlib.suppress(FileNotFoundError):
            await self._unmount_unheld(str(self._folder / name / DATA) for name in os.listdir(self._locks))
        with contextlib.suppress(FileNotFoundError):
            records = (str(self._plugin_mounts / name) for name in os.listdir(self._plugin_mounts))
            await self._let_plugins_unmount(records, looking=True)

    def lock_of(self, mountpoint: str) -> str:
        """The path of the lock of the volume that is mounted at ``mountpoint``."""
        return str(self._locks / Path(mountpoint).parent.name)

    def unmount(self, name: str, what: str) -> None:
        """Unmounts a volume that is about to be removed or renamed. ``what`` is this operation, and begins the text of an error.

        Raises ``Conflict`` if a process holds the volume, or it cannot be unmounted.
        """
        from moby_tui.engine.kernel import shared_mount

        try:
            free = shared_mount.let_go(str(self._locks / name), str(self._folder / name / DATA))
        except OSError as error:
            raise Conflict(f"{what} {name}: cannot unmount it: {error.strerror}") from error
        if not free:
            raise Conflict(
                f"{what} {name}: volume is in use: it is mounted for a container that is starting or ending, or for a copy"
            )
