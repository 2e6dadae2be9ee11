"""Volumes: directories under the data root that outlive the containers they are mounted in (driver ``local``)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.kernel.trees import Meter, closing
from moby_tui.engine.resources.volumes import container_mounts, ownership, propagation, wire
from moby_tui.engine.resources.volumes.container_mounts import Resolution
from moby_tui.engine.resources.volumes.contents import VolumeContents
from moby_tui.engine.resources.volumes.mounting import VolumeMounts
from moby_tui.engine.resources.volumes.populate import is_there, populate
from moby_tui.engine.resources.volumes.requests import check_volume_name, mount_requests
from moby_tui.engine.resources.volumes.store import RENAMING, Publish, VolumeStore, open_folder
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.containers import ContainerConfig, HostConfig, MountPoint
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.engine.tasks import in_own_thread, in_thread
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.base import Filters
from moby_tui.schema.volume import Volume, VolumeCreate, VolumeList, VolumesPruned

if TYPE_CHECKING:
    from threading import Thread

    from moby_tui.engine.resources.volumes.plugin_volumes import PluginVolumes

ANONYMOUS = "com.docker.volume.anonymous"
#: The beginning of the names of notes of copies between volumes (``staging``).
_COPYING = ".copying-"

Mounts = list[MountPoint]
Names = list[str]
Events = list[tuple[str, str, str, dict[str, str]]]
Volumes = list[Volume]


class VolumeManager(VolumeContents):
    """Implements ``Volumes`` of the client protocol, and makes and fills the volumes of new containers."""

    def __init__(self, paths: Paths, database: Database, publish: Publish, used_by: Callable[[str], Sequence[str]]) -> None:
        """``used_by`` returns the names of the containers, running or not, that have the volume of a name mounted."""
        self._folder = paths.volumes
        self._data_root = paths.data_root
        self._plugin_mounts = paths.plugin_mounts
        self._store = VolumeStore(paths.volumes, database, publish)
        self._publish = publish
        self._used_by = used_by
        self._removing: list[Thread] = []
        self.mounts = VolumeMounts(paths, self._store.find, self._store.make_folders, lambda: self._plugins)

    def guard(self) -> FileLock:
        """The shared lock that a process holds from ``resolve`` until the container has its row: no process removes a volume meanwhile."""
        return self._store.guard()

    # The client protocol

    async def list(self, *, filters: Filters | None = None) -> list[Volume]:
        """The volumes by name. Filters: dangling, driver, label, name. Raises ``InvalidArgument`` for others."""
        return (await self.listed(filters=filters)).volumes

    async def listed(self, *, filters: Filters | None = None) -> VolumeList:
        """As ``list``, with a warning for each plug-in that does not list its volumes."""
        from moby_tui.engine.plugins import discovery
        from moby_tui.engine.resources.volumes.filters import VolumeFilter

        wanted = VolumeFilter(filters, frozenset(("dangling", "driver", "label", "name")))
        volumes, warnings = [wire.volume_to_show(record) for record in self._store.all()], Names()
        if drivers := [name for name in discovery.names() if wanted.takes_driver(name)]:
            volumes, warnings = await self._with_those_of_plugins(volumes, drivers)
        matching = [volume for volume in volumes if wanted.matches(volume, lambda name: bool(self._used_by(name)))]
        return VolumeList(volumes=matching, warnings=warnings or None)

    async def _with_those_of_plugins(self, ours: Volumes, drivers: Names) -> tuple[Volumes, Names]:
        """Our volumes and those of the plug-ins, and the plug-ins' warnings. A plug-in that answers decides which of its volumes exist;
        their labels and options are in our rows."""
        answers = await asyncio.gather(*(in_own_thread(self._plugins.list, driver) for driver in drivers))
        answered = {driver for driver, (_, warning) in zip(drivers, answers, strict=True) if not warning}
        existing = {volume.name: volume for volume in ours if volume.driver not in answered}
        rows = {volume.name: volume for volume in ours}
        for volume in itertools.chain.from_iterable(volumes for volumes, _ in answers):
            row = rows.get(volume.name)
            if row is None or row.driver == volume.driver:
                existing[volume.name] = volume if row is None else _reported(row, volume)
        return [existing[name] for name in sorted(existing)], [warning for _, warning in answers if warning]

    async def create(self, config: VolumeCreate) -> Volume:
        """Makes a volume, or returns the one that has this name. A volume without a name is anonymous, and gets 64 random digits for one.

        Raises ``InvalidArgument`` for a bad name or option, ``NotFound`` for an unknown driver, ``Conflict`` for the name of another driver's
        volume.
        """
        name, labels = config.name, config.labels
        if not name:
            name, labels = os.urandom(32).hex(), {**(labels or {}), ANONYMOUS: ""}
        check_volume_name(name)
        options = config.driver_opts or None
        if (volume := self._store.find(name)) is not None:
            if config.driver not in ("", volume.driver):
                raise Conflict(f"create {name}: driver '{volume.driver}' already has volume '{name}': volume name must be unique")
            if volume.driver != "local":
                return wire.volume_to_show(volume)
        elif config.driver not in ("", "local"):
            made = await in_own_thread(self._plugins.create, config.driver, name, options or {})
            return self._store.adopt(made, labels, options)
        elif not config.driver and config.name and (existing := await self._find_at_plugins(name)):
            return self._store.adopt(existing, labels, None)
        if options:
            # few volumes have any
            from moby_tui.engine.resources.volumes import driver_options

            driver_options.check(name, options)
        return self._store.create(name, labels, options)

    async def inspect(self, name: str) -> Volume:
        """The volume of a name, of this engine or of a plug-in. Raises ``NotFound``."""
        record, volume = self._store.find(name), None
        if record is None:
            volume = await self._find_at_plugins(name)
        elif record.driver == "local":
            volume = wire.volume_to_show(record)
        elif reported := await in_own_thread(self._plugins.get, record.driver, name):
            volume = _reported(record, reported)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Deletes a volume and its data. Raises ``NotFound`` unless ``force``, ``Conflict`` while a container has it mounted.

        With ``force`` the row of a plug-in's volume goes also if the plug-in refuses; its error is raised nevertheless, as by dockerd.
        """
        volume, refusal = self._store.find(name) or await self._find_at_plugins(name), None
        if volume is not None and volume.driver != "local":
            self._check_unused(name)
            # before the lock is taken, so that no process waits for a plug-in that does not answer
            try:
                await in_own_thread(self._plugins.remove, volume.driver, name)
            except MobyError as error:
                if not force:
                    raise
                refusal = None if isinstance(error, NotFound) else error
        async with self._store.removal():
            volume = self._store.find(name) or volume
            if volume is None:
                if force:
                    return
                raise NotFound(f"get {name}: no such volume")
            self._check_unused(name)
            self._remove(name, volume.driver)
        await in_thread(self._store.sweep)
        if refusal is not None:
            raise refusal

    def _check_unused(self, name: str) -> None:
        if users := self._used_by(name):
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")

    async def prune(self, *, filters: Filters | None = None) -> VolumesPruned:
        """Removes the anonymous volumes that no container uses; with the filter ``all`` named ones too. Also: label, label!.

        A volume with options of its driver stays, as with dockerd.
        """
        async with self._store.removal():
            pruned = await self.prunable(filters=filters)
            for name in pruned.volumes_deleted or ():
                self._remove(name)
        await in_thread(self._store.sweep)
        self._publish("volume", "prune", "", {"reclaimed": str(pruned.space_reclaimed)})
        return pruned

    async def prunable(self, *, filters: Filters | None = None, gone: Collection[str] = ()) -> VolumesPruned:
        """What ``prune`` would remove if the containers ``gone`` did not exist. The size is in bytes."""
        from moby_tui.engine.resources.volumes.filters import VolumeFilter

        wanted = VolumeFilter(filters, frozenset(("all", "label", "label!")))
        names = [
            volume.name
            for volume in self._store.all()
            if volume.driver == "local"
            and not volume.options  # its content can lie on a file system that others use
            and (wanted.all or ANONYMOUS in (volume.labels or {}))
            and wanted.matches(volume, lambda _name: False)
            and not set(self._used_by(volume.name)) - set(gone)
        ]
        return VolumesPruned(volumes_deleted=names, space_reclaimed=sum([await self.size(name) for name in names]))

    async def rename(self, name: str, new: str) -> None:
        """Gives a volume another name. Raises ``NotFound``, ``InvalidArgument``, and ``Conflict`` if it is in use or the name is taken."""
        check_volume_name(new)
        await self._settle_copies()  # their notes have the volume's name
        if (await self.inspect(name)).driver != "local":
            raise InvalidArgument(f"rename {name}: only volumes of the driver local can have another name")
        async with self._store.removal():
            await self.inspect(name)
            if users := self._used_by(name):
                raise Conflict(f"rename {name}: volume is in use - [{', '.join(users)}]")
            self._store.settle_renames()
            try:
                self.mounts.unmount(name, "rename")
                self._store.rename(name, new)
            except BaseException:
                self._store.settle_renames()
                raise
        self._publish("volume", "rename", new, {"driver": "local", "oldName": name})

    async def clone(self, name: str, new: str) -> Volume:
        """Makes the volume ``new`` with the content and labels that another has now. Of the options the size, owner and mode are copied.

        The new volume appears once the copy is complete. Raises ``NotFound``, ``InvalidArgument``, ``Conflict`` if the name is taken,
        ``StorageFull``, and ``MobyError`` if another process changes the volume during the copy.
        """
        from moby_tui.engine.resources.volumes.cloning import copied

        check_volume_name(new)
        source = await self.inspect(name)
        self._store.check_free(new)
        options = {key: value for key, value in (source.options or {}).items() if key in ("size", *ownership.KEYS)} or None
        labels = {key: value for key, value in (source.labels or {}).items() if key != ANONYMOUS} or None
        # before the copy, since a limit counts only what is written after it is set
        limit = functools.partial(self._store.limit, options=options or {})
        async with self._opened(name) as root, copied(self._folder, root, name, limit) as copy, self._store.removal():
            self._store.check_free(new)
            return self._store.create(new, labels, options, made=copy)

    async def copy(self, name: str, path: str, to: str, to_path: str, *, follow_link: bool = False) -> None:
        """Copies a path of a volume into the volume ``to``, by the rules of ``docker cp``: all of it or nothing.

        Raises ``NotFound``, ``InvalidArgument``, ``StorageFull`` and ``MobyError``.
        """
        from moby_tui.engine.resources.volumes.copying import copy_between

        async with self._opened(name) as source, self._opened(to) as target:
            await in_thread(copy_between, self._folder, source, path, target, to, to_path, follow=follow_link)

    @contextlib.asynccontextmanager
    async def _opened(self, name: str) -> AsyncIterator[int]:
        """Opens the folder of a volume's content, and keeps the volume mounted during the block. Raises ``NotFound``, ``MobyError``.

        Copies into volumes that were cut short are completed or undone before."""
        await self._settle_copies()
        async with self._mounted(name) as root:
            yield root

    @contextlib.asynccontextmanager
    async def _mounted(self, name: str) -> AsyncIterator[int]:
        async with self.guard():
            volume = await self.inspect(name)
            if volume.driver == "local":
                self._store.make_folders(name)
            elif self._store.find(name) is None:
                self._store.adopt(volume, None, None)
            held = await self.mounts.hold([MountPoint(type="volume", name=name)])
        try:
            with closing(open_folder(held.places.get(name, volume.mountpoint))) as root:
                yield root
        finally:
            held.close()
            await self.mounts.unmount_released(held)

    # For containers

    async def resolve(self, config: ContainerConfig, host_config: HostConfig) -> Resolution:
        """The mounts of a new container. Missing volumes are made; after an error the anonymous ones among them are removed.

        Raises ``InvalidArgument`` (Docker's texts) and ``NotImplementedYet``. Hold ``guard`` around this and the store's ``insert``.
        """
        resolution = Resolution([], [], [])
        try:
            for request in mount_requests(config, host_config):
                propagation.settle(request, self._data_root)
                await container_mounts.add(resolution, request, self.create)
        except BaseException:
            self.remove_anonymous(resolution.anonymous)
            raise
        return resolution

    async def populate(self, name: str, rootfs: int, destination: str, subpath: str = "") -> bool:
        """Copies what the root file system open as ``rootfs`` has at ``destination`` into a volume, or a part of it, that is empty.

        To be called for each of ``Resolution.populated`` before the container has its row. Returns True after a copy. A caller that is
        cancelled waits for the end of the copy. Raises ``StorageFull`` or ``MobyError``.
        """
        volume = self._store.find(name)
        if volume is None or volume.driver == "local":
            self._store.create(name, None)  # makes the folder if a removal was cut short
        if not is_there(rootfs, destination):
            return False
        owner = ownership.of(volume.options) if volume is not None and volume.driver == "local" else None
        await self._settle_copies()
        held = await self.mounts.hold([MountPoint(type="volume", name=name)])
        try:
            place = held.places.get(name, "")
            return await in_thread(lambda: populate(self._folder, name, rootfs, destination, subpath, place=place, owner=owner))
        finally:
            held.close()
            await self.mounts.unmount_released(held)

    def remove_anonymous(self, names: Names) -> None:
        """Removes the anonymous volumes of a removed container, but for those that another container has mounted by name.

        A thread calls the plug-in of such a volume; ``close`` waits for it. The plug-in still lists a volume that it does not remove.
        """
        for name in names:
            if not self._used_by(name):
                volume = self._store.find(name)
                driver = volume.driver if volume is not None else "local"
                if self._remove(name, driver) and driver != "local":
                    import threading

                    thread = threading.Thread(target=self._remove_at_plugin, args=(driver, name))
                    thread.start()
                    self._removing.append(thread)
        if names:
            self._store.sweep()

    def _remove(self, name: str, driver: str = "local") -> bool:
        """Unmounts and removes a volume. Returns True if it had a row. Raises ``Conflict`` if it cannot be unmounted."""
        self.mounts.unmount(name, "remove")
        return self._store.remove(name, driver)

    def _remove_at_plugin(self, driver: str, name: str) -> None:
        with contextlib.suppress(MobyError):
            self._plugins.remove(driver, name)

    async def close(self) -> None:
        """Waits for plug-ins that are removing anonymous volumes."""
        while self._removing:
            await in_own_thread(self._removing.pop().join)

    async def size(self, name: str) -> int:
        """The bytes that a volume takes on disk. A file with several names counts once."""
        return await in_thread(Meter().of, self._folder / name)

    # What killed engines have left; plug-ins

    @functools.cached_property
    def _plugins(self) -> PluginVolumes:
        # imported here, since few engines use plug-ins
        from moby_tui.engine.resources.volumes.plugin_volumes import PluginVolumes

        return PluginVolumes(self._plugin_mounts)

    async def _find_at_plugins(self, name: str) -> Volume | None:
        """A volume that a plug-in has and that has no row here: another engine has made it. None if no plug-in has it."""
        from moby_tui.engine.plugins import discovery

        return await in_own_thread(self._plugins.find, name) if discovery.names() else None

    async def settle(self) -> None:
        """Completes or undoes what killed engines have left: renames, clones, copies, removals and mounts of volumes."""
        await self.mounts.unmount_unused()
        with contextlib.suppress(FileNotFoundError):
            left = [name for name in os.listdir(self._folder) if name.startswith(".") and name != ".lock"]
            if any(name.startswith(RENAMING) for name in left):
                async with self._store.removal():
                    self._store.settle_renames()
            if any(name.startswith(_COPYING) for name in left):
                await self._settle_copies()
            if left:
                await in_thread(self._store.sweep)

    async def _settle_copies(self) -> None:
        """Completes or undoes copies into volumes that were cut short. The next engine tries again with volumes that cannot be opened."""
        from moby_tui.engine.resources.volumes import staging

        for path in staging.left(self._folder):
            with contextlib.suppress(OSError, MobyError), staging.unlocked(path) as note:
                if note is not None and self._store.find(note.volume) is not None:
                    async with self._mounted(note.volume) as target:
                        await in_thread(staging.settle, target, note)


def _reported(row: Volume | VolumeRecord, volume: Volume) -> Volume:
    """A volume as its plug-in reports it, with the labels and options of its row."""
    return msgspec.structs.replace(volume, labels=row.labels, options=row.options)
