"""The stores and managers that the modules of the container service work with, in one struct."""

from __future__ import annotations

import asyncio
import builtins
import os
import posixpath
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.containers.managers import Managers, Publish
from moby_tui.engine.runtime.client import monitor_process
from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.paths import ContainerPaths, Paths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import DAMAGED, State, now
from moby_tui.errors import Conflict, InvalidArgument, NotFound, StorageFull, Unavailable

if TYPE_CHECKING:
    from moby_tui.engine.events.bus import EventBus
    from moby_tui.engine.policy.remap import Remap
    from moby_tui.engine.protocol.control import Request
    from moby_tui.engine.resources.images.manager import ImageManager
    from moby_tui.engine.resources.networks.manager import NetworkManager
    from moby_tui.engine.resources.networks.sandbox import Holding
    from moby_tui.engine.resources.secrets.manager import SecretManager
    from moby_tui.engine.resources.volumes.manager import VolumeManager
    from moby_tui.engine.runtime.client.launcher import Launcher
    from moby_tui.engine.runtime.configuration.runtimes import Runtimes
    from moby_tui.engine_options import EngineOptions

#: Waits this many seconds for another process that is changing the same container.
_LOCK_SECONDS = 60.0
_AT_A_TIME = 32
_LOOK_SECONDS = 0.02
#: What a state says as its error whose file cannot be read.
DAMAGED_STATE = "its state file is damaged: whether it ran to its end, and how it ended, is not known"
#: The exit code of a container that was killed: 128 and SIGKILL.
KILLED = 137
#: As dockerd has it, of a container whose end it could not learn.
_UNKNOWN_EXIT = 255


class Parts(msgspec.Struct, frozen=True):
    """The stores and managers of one engine."""

    paths: Paths
    store: ContainerStore
    managers: Managers
    runtimes: Callable[[], Runtimes]
    #: the user namespaces of containers that do not ask for one
    remap: Callable[[], Remap]
    options: Callable[[], EngineOptions]
    publish: Publish
    boot: str
    cgroup_parent: str
    #: started here, to be removed by their monitors, which have no database: their rows are ours to delete
    leaving: set[str]
    #: the images of a build's step in place of the engine's
    step_images: ImageManager | None = None

    @property
    def images(self) -> ImageManager:
        return self.step_images or self.managers.images

    @property
    def networks(self) -> NetworkManager:
        return self.managers.networks

    @property
    def volumes(self) -> VolumeManager:
        return self.managers.volumes

    @property
    def secrets(self) -> SecretManager:
        return self.managers.secrets

    @property
    def launcher(self) -> Launcher:
        return self.managers.launcher

    @property
    def bus(self) -> EventBus:
        return self.managers.bus

    def get(self, ref: str) -> ContainerRecord:
        """The record of a container. Raises ``NotFound``.

        If its folder is gone, its monitor has removed the container: its row is deleted.
        """
        while True:
            record = self.store.get(ref)
            if self.paths.container(record.id).data.exists():
                return record
            if not self.forget(record):
                raise NotFound(f"No such container: {ref}")

    def list(self) -> list[ContainerRecord]:
        """The records of the containers whose folders are there; one look at the folder of all is cheaper than one at each."""
        known, here = self.store.ids(), set(os.listdir(self.paths.containers))
        self.forget_removed(ident for ident in known if ident not in here)
        return [record for record in self.store.list() if record.id in here]

    def will_leave(self, record: ContainerRecord) -> None:
        """Notes a container with ``--rm``. The rows of noted containers that their monitors have removed are deleted, several at a time."""
        self.leaving.add(record.id)
        if len(self.leaving) % _AT_A_TIME == 0:
            self.forget_left()

    def forget_left(self) -> None:
        left = {ident for ident in self.leaving if not self.paths.container(ident).data.exists()}
        self.forget_removed(left)
        self.leaving.difference_update(left)

    def forget_removed(self, idents: Iterable[str]) -> None:
        """Deletes the rows one by one, since they can be many."""
        for ident in idents:
            if not self.paths.container(ident).data.exists():
                with suppress(NotFound):
                    self.forget(self.store.get(ident))

    def forget(self, record: ContainerRecord) -> bool:
        """Deletes the row of a removed container, and its anonymous volumes, which its monitor cannot remove.

        Returns False where the disk is full: an engine that finds space does it.
        """
        try:
            if self.store.delete(record.id) and record.host_config.auto_remove and record.anonymous_volumes:
                self.volumes.remove_anonymous(record.anonymous_volumes)
        except StorageFull:
            return False
        return True

    def is_free(self, name: str) -> bool:
        """True if no container has this name. The row of a container that its monitor has removed is deleted first."""
        try:
            return self.get(name).name != name
        except (NotFound, InvalidArgument):
            return True

    def files(self, record: ContainerRecord) -> ContainerPaths:
        files = self.paths.container(record.id)
        if not record.host_config.storage_opt:
            return files
        from moby_tui.engine.containers import own_layer

        return own_layer.mounted(files)

    def layers(self, record: ContainerRecord) -> builtins.list[Path]:
        """The folders of the image's layers, the top-most first. Raises ``NotFound`` if the image was removed."""
        from moby_tui.engine.resources.images.snapshots import mount_points

        return mount_points.below(self.paths, self.images.resolve(record.image_id).layers)

    def mounted_images(self, record: ContainerRecord) -> dict[str, builtins.list[str]]:
        """The layers, top-most first, of each image that the container has mounted, by its id. Raises ``NotFound``."""
        images = {mount.name for mount in record.mounts if mount.type == "image"}
        return {ident: [str(layer) for layer in self.images.resolve(ident).layers] for ident in images}

    def state(self, record: ContainerRecord) -> State:
        """What is so now. A monitor that died without a word is seen here; ``containers/start/orphans.py`` puts it right.

        Where the file is damaged, the monitor's lock tells whether the container runs.
        """
        files = self.files(record)
        state = State.read(str(files.state))
        if state.status == DAMAGED:
            state.monitor = monitor_process.find(files.monitor_lock)
            state.status, state.boot, state.error = "running" if state.monitor else "exited", self.boot, DAMAGED_STATE
            state.exit_code = 0 if state.monitor else _UNKNOWN_EXIT
        return state

    def is_orphan(self, record: ContainerRecord, state: State) -> bool:
        """True if the state is that of a run without a monitor: the monitor was killed, or the machine was restarted."""
        return self.is_orphan_at(self.files(record), state)

    def is_orphan_at(self, files: ContainerPaths, state: State) -> bool:
        """The same of the container that has these files."""
        unfinished = state.alive or state.pid != 0
        return unfinished and (state.boot != self.boot or not self._is_watched(files, state))

    def current_state(self, record: ContainerRecord) -> State:
        """The state to show: that of an orphan is shown as it will be after the cleaning up."""
        state = self.state(record)
        if not self.is_orphan(record, state):
            return state
        if not state.alive:
            return State(started_at=state.started_at)
        return State(status="exited", started_at=state.started_at, finished_at=now(), exit_code=KILLED)

    def _is_watched(self, files: ContainerPaths, state: State) -> bool:
        return monitor_process.is_alive(files.monitor_lock) or monitor_process.is_cut_off(state.monitor, files.monitor_lock)

    def is_cut_off(self, record: ContainerRecord, state: State) -> bool:
        """True if the container runs and files of it below the exec root were removed, so that no process can reach its monitor."""
        files = self.files(record)
        if not state.alive or files.socket.exists() or not self._is_watched(files, state):
            return False
        # a monitor removes its socket after it has written the end down
        return self.state(record).alive

    def check_reachable(self, record: ContainerRecord, state: State) -> None:
        """To be called before something is done inside a running container.

        Raises ``Unavailable`` if its process or its monitor cannot be found.
        """
        if self.is_cut_off(record, state):
            raise self.cut_off(record)
        if state.alive and state.error == DAMAGED_STATE:
            raise Unavailable(
                f"the state file of container {record.name} is damaged: it can be stopped, killed and removed, nothing else"
            )

    def check_settled(self, record: ContainerRecord, state: State) -> None:
        """Raises ``Conflict`` for a container that waits for its restart."""
        if state.status == "restarting":
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")

    def cut_off(self, record: ContainerRecord) -> Unavailable:
        return Unavailable(
            f"the files of container {record.name} under {self.paths.exec_root} were removed while it ran: "
            "it can be stopped, killed and removed, nothing else"
        )

    def lock(self, record: ContainerRecord) -> FileLock:
        """The container's lock, which a process holds while it changes the container. Use ``async with locked(...)``."""
        files = self.files(record)
        files.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(files.lock)

    async def acquire(self, record: ContainerRecord) -> FileLock:
        """Takes the container's lock. Raises ``NotFound`` if another process has removed the container meanwhile."""
        files = self.files(record)
        while True:
            lock = self.lock(record)
            try:
                await lock.acquire_async(_LOCK_SECONDS)
            except FileNotFoundError:
                # its folder was removed while it was waited for
                continue
            if files.data.exists():
                return lock
            from moby_tui.engine.kernel.removal import remove_tree

            remove_tree(str(files.run))
            lock.release()
            raise NotFound(f"No such container: {record.name}")

    async def until_put_away(self, record: ContainerRecord, patience: float = _LOCK_SECONDS) -> None:
        """Waits until the monitor of an ended container has released everything of the run. Raises ``Unavailable``."""
        lock = FileLock(self.files(record).monitor_lock)
        # without its folder there is nothing left to be put away
        with suppress(FileNotFoundError):
            await lock.acquire_async(patience)
            lock.release()
        await self.until_cut_off_has_ended(record, State.read(str(self.files(record).state)).monitor, patience)

    async def until_cut_off_has_ended(self, record: ContainerRecord, monitor: int, patience: float = _LOCK_SECONDS) -> None:
        """Waits for the end of the monitor with this pid, whose lock file was deleted. Raises ``Unavailable``."""
        deadline = time.monotonic() + patience
        while monitor_process.is_cut_off(monitor, self.files(record).monitor_lock):
            if time.monotonic() > deadline:
                raise self.cut_off(record)
            await asyncio.sleep(_LOOK_SECONDS)

    @asynccontextmanager
    async def changing(self, record: ContainerRecord) -> AsyncIterator[ContainerRecord]:
        """Holds the container's lock during the block, and yields its record as read under the lock."""
        lock = await self.acquire(record)
        try:
            yield self.get(record.id)
        finally:
            lock.release()

    def patience(self, record: ContainerRecord) -> float:
        """The seconds that the container's monitor has for an answer."""
        from moby_tui.engine.runtime.client import monitor as monitor_client

        ours = self.runtimes().is_built_in(record.host_config.runtime)
        return monitor_client.ANSWER_SECONDS if ours else monitor_client.RUNTIME_SECONDS

    async def request(self, record: ContainerRecord, message: Request) -> None:
        """Sends a request to the container's monitor. Raises ``Conflict`` if there is no monitor, ``Unavailable`` if it does not answer."""
        from moby_tui.engine.runtime.client import monitor as monitor_client

        try:
            await monitor_client.request(self.files(record).socket, self.patience(record), message)
        except Conflict:
            if self.is_cut_off(record, self.state(record)):
                raise self.cut_off(record) from None
            raise

    async def hand_over(self, record: ContainerRecord, holding: Holding) -> None:
        """Passes a holding to the container's monitor, which undoes it at the container's end.

        Raises ``MobyError``: the caller still owns the holding then.
        """
        from moby_tui.engine.protocol import control
        from moby_tui.engine.runtime.client import monitor as monitor_client

        descriptors = holding.descriptors
        request = control.Adopt(name=holding.name, teardown=holding.teardown, count=len(descriptors), forwards=holding.forwards)
        await monitor_client.hand_over(self.files(record).socket, self.patience(record), descriptors, request)
        holding.close()

    def cgroup_path(self, record: ContainerRecord) -> str:
        parent = record.host_config.cgroup_parent or self.cgroup_parent
        # the root is a parent too, and nothing is above it
        return posixpath.join(posixpath.normpath("/" + parent.strip("/")), record.id)

    def event(self, action: str, record: ContainerRecord, **attributes: str) -> None:
        self.publish("container", action, record.id, {**event_attributes(record), **attributes})


def event_attributes(record: ContainerRecord) -> dict[str, str]:
    """The attributes of every event of a container: its labels, image and name."""
    return {**(record.config.labels or {}), "image": record.image, "name": record.name}
