"""The engine: every process that opens a data root is a full one. It is a ``Client`` that needs no server."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.containers.managers import Managers
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.service import ContainerService
from moby_tui.engine.kernel.process import boot_id
from moby_tui.engine.resources.images import upkeep
from moby_tui.engine.store import disk, losses
from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import DEFAULT_DATA_ROOT, DEFAULT_EXEC_ROOT, Paths
from moby_tui.engine_options import EngineOptions, settled
from moby_tui.errors import Forbidden, MobyError

if TYPE_CHECKING:
    from moby_tui.engine.events.bus import EventBus
    from moby_tui.engine.networking import NetworkService
    from moby_tui.engine.policy.remap import Remap
    from moby_tui.engine.recalling import HistoryService
    from moby_tui.engine.recovery.rebuild import Recovered
    from moby_tui.engine.resources.builder.builder import ImageBuilder
    from moby_tui.engine.resources.images.manager import ImageManager
    from moby_tui.engine.resources.images.registry.repositories import Repositories
    from moby_tui.engine.resources.secrets.manager import SecretManager
    from moby_tui.engine.resources.volumes.manager import VolumeManager
    from moby_tui.engine.runtime.configuration.runtimes import Runtimes
    from moby_tui.engine.system import SystemService

#: The folder of every hierarchy under which the containers' control groups lie.
_CGROUP_PARENT = "moby"
#: An engine that is closed by then, as a command's mostly is, never watches monitors and firewall.
_WATCH_AFTER_SECONDS = 1.0
#: What an open engine has of its own beside its managers.
_SERVICES = ("system", "builder")
#: What is made anew, where it is needed, when the options change.
_MADE_OF_OPTIONS = ("runtimes", "remap")

log = logging.getLogger(__name__)


class Engine:
    """Use as ``async with Engine.open(data_root) as engine``. Any number may be open, in any number of processes."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.paths = _paths(options)
        self._database: Database | None = None
        self._recording: asyncio.Task[None] | None = None

    def configure(self, options: EngineOptions) -> None:
        """Changes the options of the open engine, all but its folders. Raises ``InvalidArgument``, and keeps the former ones."""
        former = self.options
        self.options = options.replaced(data_root=former.data_root, exec_root=former.exec_root)
        try:
            self.check_options()
        except MobyError:
            self.options = former
            raise
        finally:
            for part in _MADE_OF_OPTIONS:
                vars(self).pop(part, None)

    def check_options(self) -> None:
        """Raises ``InvalidArgument``."""
        if not self.options.is_plain:
            from moby_tui.engine import configuring

            configuring.check(self.options)

    @cached_property
    def runtimes(self) -> Runtimes:
        """The OCI runtimes that its containers can be given to."""
        from moby_tui.engine.runtime.configuration.runtimes import Runtimes

        return Runtimes(self.options)

    @cached_property
    def remap(self) -> Remap:
        """The user namespaces of containers that do not ask for one."""
        from moby_tui.engine.policy.remap import Remap

        return Remap(self.options)

    @classmethod
    def open(
        cls,
        data_root: str | Path | None = None,
        exec_root: str | Path | None = None,
        *,
        options: EngineOptions | None = None,
    ) -> Engine:
        """An engine with these options, on these folders if they are given. It is opened by ``async with``.

        Without options, the folders and the signature policy are those of ``MOBY_DATA_ROOT``, ``MOBY_EXEC_ROOT`` and
        ``MOBY_SIGNATURE_POLICY``, or the system's own. A data root without an exec root has its own beside the system's, so that two
        roots never share one.
        """
        return cls(settled(options, data_root=data_root, exec_root=exec_root))

    async def __aenter__(self) -> Engine:
        """Raises ``Forbidden`` without root, ``InvalidArgument`` for bad options, ``MobyError`` if the folders cannot be used."""
        if os.geteuid() != 0:
            raise Forbidden("moby needs root here: run it with sudo, or point it at a daemon with -H")
        self.check_options()
        losses.check_present(self.paths)
        try:
            self.paths.make()
        except OSError as error:
            raise MobyError(f"cannot use data root {self.paths.data_root}: {error.strerror}: {error.filename}") from error
        self._database, unborn = await self._open_database()
        self._managers = Managers(self.paths, self._database, self._current_options, lambda: self.containers, self._cached)
        parts = Parts(
            paths=self.paths,
            store=ContainerStore(self._database),
            managers=self._managers,
            runtimes=lambda: self.runtimes,
            remap=lambda: self.remap,
            options=self._current_options,
            publish=self._managers.publish,
            boot=boot_id(),
            cgroup_parent=_CGROUP_PARENT,
            leaving=set(),
        )
        self.containers = ContainerService(parts)
        self._parts = parts
        if upkeep.is_due(self.paths, self._database):
            await self.images.collect_rubbish()
        await self.containers.settle(unborn)
        self._watch = asyncio.get_running_loop().create_task(self._keep_watch())
        return self

    async def settle_default_network(self) -> None:
        """Has the default bridge network be as the options want it, and chooses its subnet if it has none yet. Raises ``MobyError`` if the
        options cannot be followed."""
        try:
            await self._managers.networks.configure_default_bridge()
        except MobyError:
            if self.options.configures_bridge:
                raise
            # its first container is told that no subnet is free

    def tell_reload(self, **more: str) -> None:
        """Publishes that the options have changed, as dockerd does: event ``reload`` of type ``daemon``; ``more`` are further attributes."""
        from moby_tui.engine import configuring

        assert self._database is not None
        attributes = configuring.attributes(self.options) | more
        self._managers.publish("daemon", "reload", self._database.identity(), attributes)

    def _current_options(self) -> EngineOptions:
        return self.options

    async def _keep_watch(self) -> None:
        """An engine that stays open sees monitors that are killed, and what other programs change in our nftables tables."""
        while True:
            await asyncio.sleep(_WATCH_AFTER_SECONDS)
            try:
                from moby_tui.engine.containers.start.watching import MonitorWatch

                self._managers.firewall_watch.begin()
                self._begin_recording()
            except OSError:
                # this process has no descriptor left to read the modules with
                continue
            await MonitorWatch(self._parts).run()
            return

    def _begin_recording(self) -> None:
        """Takes part in keeping the history, if one is kept."""
        if self.options.history_size and self._recording is None:
            from moby_tui.engine.recording import Recorder

            self._recording = asyncio.get_running_loop().create_task(Recorder(self._parts).run())

    async def _open_database(self) -> tuple[Database, list[str]]:
        """The database, found whole, and the containers that a killed creator left.

        One that does not know what lies on disk is rebuilt where the machine went down since it was last found whole: a power cut takes
        the last transactions with it (sqlite.org/wal.html). In the same boot it is another database, which is refused.
        """
        database = Database(self.paths.database)
        try:
            return database, self._check_database(database)
        except losses.DatabaseLost:
            last = database.last_boot()
            database.close()
            if last in ("", boot_id()):
                raise
        except MobyError:
            database.close()
            raise
        from moby_tui.engine.recovery import rebuild

        done = await rebuild.recover(self.paths)
        log.warning(
            "the database had lost its last changes when the machine went down, and was rebuilt; the former one is %s", done.aside
        )
        database = Database(self.paths.database)
        try:
            return database, self._check_database(database)
        except MobyError:
            database.close()
            raise

    def _check_database(self, database: Database) -> list[str]:
        """Checks that the database knows what lies on disk, and backs it up if that is due. Returns the ids of containers whose creator was
        killed. Raises ``DatabaseLost``."""
        unborn = losses.check_complete(self.paths, database)
        if disk.refusal(self.paths.data_root) is None:
            database.note_boot(boot_id())
        _back_up(database)
        return unborn

    def back_up(self) -> None:
        """Backs the database up, where it has changed since that was last done and that is a while ago."""
        if self._database is not None:
            _back_up(self._database)

    @staticmethod
    async def recover(
        data_root: str | Path | None = None, exec_root: str | Path | None = None, *, options: EngineOptions | None = None
    ) -> Recovered:
        """Rebuilds a lost or damaged database from what is on disk. Raises ``MobyError`` if that is not ours to do."""
        if os.geteuid() != 0:
            raise Forbidden("moby needs root here: run it with sudo")
        from moby_tui.engine.recovery import rebuild as recovery

        engine = Engine.open(data_root, exec_root, options=options)
        done = await recovery.recover(engine.paths)
        # what still runs is found, what does not is settled
        async with engine:
            return done

    def _cached(self) -> set[str]:
        if not self.paths.build_steps.is_dir():
            return set()
        from moby_tui.engine.resources.builder import pruning

        return pruning.named(self.paths.build_steps)

    @property
    def events(self) -> EventBus:
        return self._managers.bus

    @property
    def images(self) -> ImageManager:
        return self._managers.images

    @property
    def volumes(self) -> VolumeManager:
        return self._managers.volumes

    @property
    def secrets(self) -> SecretManager:
        return self._managers.secrets

    @cached_property
    def system(self) -> SystemService:
        """It tells and prunes: no container needs it."""
        from moby_tui.engine.system import SystemService

        assert self._database is not None
        return SystemService(
            self.paths,
            self._database,
            self.containers,
            self.images,
            self.volumes,
            self._current_options,
            lambda: self.runtimes,
            lambda: self.builder,
        )

    @property
    def networks(self) -> NetworkService:
        """For users: a container's start asks the manager alone."""
        from moby_tui.engine.networking import NetworkService

        return NetworkService(self._parts)

    @cached_property
    def builder(self) -> ImageBuilder:
        from moby_tui.engine.containers.building.steps import ContainerSteps
        from moby_tui.engine.resources.builder.builder import ImageBuilder

        assert self._database is not None
        steps, publish = ContainerSteps(self._parts), self._managers.publish
        return ImageBuilder(self.paths, self._database, self.images, steps, publish, lambda: self.options.builder)

    @property
    def history(self) -> HistoryService:
        """What was: it reads what is on disk."""
        from moby_tui.engine.recalling import HistoryService

        return HistoryService(self._parts)

    @property
    def registry(self) -> Repositories:
        """Registries elsewhere: it holds nothing of its own."""
        from moby_tui.engine.resources.images.registry.repositories import Repositories

        return Repositories(self.options)

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of everything; the containers live on."""
        if self._database is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            if self._recording is not None:
                self._recording.cancel()
                await asyncio.gather(self._recording, return_exceptions=True)
                self._recording = None
            with suppress(MobyError):
                self._parts.forget_left()
            await self._managers.close()
            self._database.close()
            self._database = None
            for service in _SERVICES:
                vars(self).pop(service, None)
        await asyncio.sleep(0)


def _back_up(database: Database) -> None:
    if database.is_backup_due():
        # imported here, since few commands make a backup
        from moby_tui.engine.store import backup

        backup.make(database)


def _paths(options: EngineOptions) -> Paths:
    data = options.data_root or DEFAULT_DATA_ROOT
    if options.exec_root is not None:
        return Paths(data, options.exec_root)
    instance = Paths(data, data).instance
    return Paths(data, DEFAULT_EXEC_ROOT / instance if instance else DEFAULT_EXEC_ROOT)
