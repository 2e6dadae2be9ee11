"""Volumes that are mounted while they are used: file systems of their own (``type``, ``o``, ``device``), and those of plug-ins.

Each is held by open descriptors, of which a container's monitor has one. Who finds that nobody holds it any more unmounts it.
"""

from __future__ import annotations

import asyncio
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
    """Volumes that are mounted while descriptors are open, which another process may hold too.

    ``locks`` are those of file systems of their own, by the place where each is mounted; ``records`` those of what plug-ins have mounted,
    by their paths; ``places`` says for names of volumes of plug-ins where they are mounted.
    """

    locks: dict[str, int] = {}
    records: dict[str, int] = {}
    places: dict[str, str] = {}

    def close(self) -> None:
        for fd in (*self.locks.values(), *self.records.values()):
            os.close(fd)

    def with_places(self, mounts: Mounts) -> Mounts:
        """The mounts with the places where plug-ins have mounted them."""
        return [
            msgspec.structs.replace(mount, source=self.places[mount.name])
            if mount.type == "volume" and mount.name in self.places
            else mount
            for mount in mounts
        ]


class VolumeMounts:
    """What is mounted of the volumes of one data root, by whichever process."""

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
        """Mounts those volumes that are file systems of their own, and has plug-ins mount theirs.

        Raises ``MobyError``; nothing is held then.
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
            await self.let_go(held)
            raise
        return held

    def _hold_by_plugin(self, volume: VolumeRecord, held: Held) -> None:
        path, fd, place = self._plugins().hold(volume)
        held.records[path], held.places[volume.name] = fd, place

    def _hold(self, volume: VolumeRecord, options: dict[str, str], held: Held) -> None:
        """Notes in ``held`` what a caller that was cancelled meanwhile has to let go of."""
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

    async def let_go(self, held: Held) -> None:
        """Unmounts those that nobody holds any more. The caller has closed its descriptors."""
        await self._let_go(held.locks)
        await self._let_plugins_unmount(held.records, looking=False)

    async def _let_plugins_unmount(self, records: Iterable[str], *, looking: bool) -> None:
        for record in records:
            from moby_tui.engine.plugins import volume_mounts

            with contextlib.suppress(OSError):  # the next who looks tries again
                await in_own_thread(volume_mounts.let_go, record, looking=looking)

    async def _let_go(self, mountpoints: Iterable[str]) -> None:
        for mountpoint in mountpoints:
            from moby_tui.engine.kernel import shared_mount

            with contextlib.suppress(OSError):  # its removal tells, and tries again
                await asyncio.to_thread(shared_mount.let_go, self.lock_of(mountpoint), mountpoint)

    async def let_go_unused(self) -> None:
        """The same for all of them: whoever mounted one may have been killed."""
        with contextlib.suppress(FileNotFoundError):
            await self._let_go(str(self._folder / name / DATA) for name in os.listdir(self._locks))
        with contextlib.suppress(FileNotFoundError):
            records = (str(self._plugin_mounts / name) for name in os.listdir(self._plugin_mounts))
            await self._let_plugins_unmount(records, looking=True)

    def lock_of(self, mountpoint: str) -> str:
        """The lock of a volume that is mounted there."""
        return str(self._locks / Path(mountpoint).parent.name)

    def unmount(self, name: str, what: str) -> None:
        """Raises ``Conflict`` where it cannot be unmounted, or somebody holds it. ``what`` is being done with the volume."""
        from moby_tui.engine.kernel import shared_mount

        try:
            free = shared_mount.let_go(str(self._locks / name), str(self._folder / name / DATA))
        except OSError as error:
            raise Conflict(f"{what} {name}: cannot unmount it: {error.strerror}") from error
        if not free:
            raise Conflict(
                f"{what} {name}: volume is in use: it is mounted for a container that is starting or ending, or for a copy"
            )
