"""The containers of one engine: the client protocol's ``Containers``.

Runs in an engine. A method imports the modules that ``ps`` does not need, so that a command imports those of the methods that it calls.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import settling
from moby_tui.engine.store.containers import SAME_NAME
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, NotModified, preceded
from moby_tui.running import Runs
from moby_tui.schema.base import Filters
from moby_tui.schema.container import (
    AttachOptions,
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainerInspect,
    ContainersPruned,
    ContainerSummary,
    ContainerUpdate,
    ContainerUpdated,
    LogOptions,
    PathChange,
    PathStat,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.stream import STDERR, STDOUT, Stream

if TYPE_CHECKING:
    from moby_tui.engine.containers.ending.exit_wait import ExitWait
    from moby_tui.engine.containers.views.kept_answers import KeptAnswers
    from moby_tui.engine.protocol.control import Request
    from moby_tui.schema.exec import ExecCreate, ExecInspect, ExecStart
    from moby_tui.schema.files import FolderEntry
    from moby_tui.schema.stats import Stats


class ContainerService(Runs):
    """The containers of one engine. ``ref`` is an id, a name, or a prefix of one id; each method raises ``NotFound`` for an unknown one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    # lists

    async def list(
        self, *, all: bool = False, limit: int = 0, size: bool = False, filters: Filters | None = None
    ) -> list[ContainerSummary]:
        """The running containers, newest first. With ``all``, a limit, or a filter ``status``: all containers.

        Raises ``InvalidArgument`` for an unknown filter.
        """
        from moby_tui.engine.containers.views import view

        filters = filters or {}
        await self._before_list(filters)
        everything = _lists_all(all, limit, filters)
        rows: list[ContainerSummary] = []
        records = self._parts.list()
        linked, store = view.link_names(records), self._parts.store
        network_ids, image_ids = cache(store.network_ids), cache(store.image_ids)
        for record in records:
            state = self._parts.current_state(record)
            if (everything or state.alive) and view.matches(self._parts, record, state, filters):
                row = view.summary(self._parts, record, state, network_ids, image_ids, linked.get(record.id, ()))
                if size:
                    row.size_rw, row.size_root_fs = await self._sizes(record)
                rows.append(row)
                if len(rows) == limit:
                    break
        return rows

    async def list_encoded(
        self, form: Hashable, encode: Callable[[ContainerSummary], bytes], *, all: bool, limit: int, filters: Filters
    ) -> builtins.list[bytes]:
        """The rows of ``list`` as ``encode`` makes them. ``form`` names what it makes: see ``views/kept_answers.py``."""
        await self._before_list(filters)
        return self._kept_answers.list(form, encode, everything=_lists_all(all, limit, filters), limit=limit, filters=filters)

    async def _before_list(self, filters: Filters) -> None:
        from moby_tui.engine.containers.views import view

        view.check_filters(filters)
        for name in (*filters.get("since", []), *filters.get("before", [])):
            self._parts.get(name)  # raises NotFound
        await self._parts.managers.mend_networks()

    @cached_property
    def _kept_answers(self) -> KeptAnswers:
        # imported here, since a server alone has the same questions again and again
        from moby_tui.engine.containers.views.kept_answers import KeptAnswers

        return KeptAnswers(self._parts)

    async def inspect_encoded(self, ref: str, form: Hashable, encode: Callable[[ContainerInspect], bytes]) -> bytes:
        """What ``encode`` makes of the answer of ``inspect``: see ``list_encoded``."""
        return self._kept_answers.inspect(ref, form, encode)

    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        from moby_tui.engine.containers.views.inspection import inspect

        record = self._parts.get(ref)
        inspected = inspect(self._parts, record, self._parts.current_state(record))
        if size:
            inspected.size_rw, inspected.size_root_fs = await self._sizes(record)
        return inspected

    async def _sizes(self, record: ContainerRecord) -> tuple[int, int]:
        """The bytes of the container's own layer, and those with its image."""
        written = await in_thread(_disk_use, str(self._parts.files(record).upper))
        return written, written + (await self._parts.images.inspect(record.image_id)).size

    # creation, start, end

    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        from moby_tui.engine.containers.creation import creation

        with refusals_told(self._parts.paths.data_root):
            return await creation.create(self._parts, config, name, platform)

    async def fetch_image(self, reference: str, platform: str) -> None:
        """Pulls an image that is missing, for ``run``."""
        async for _ in self._parts.images.pull(reference, platform=platform):
            pass

    async def start(self, ref: str) -> None:
        from moby_tui.engine.containers.start import start as starting

        await starting.start(self._parts, self._parts.get(ref))

    async def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        from moby_tui.engine.containers.ending import ending

        record = self._parts.get(ref)
        with preceded(f"cannot stop container: {ref}"):
            await ending.stop(self._parts, record, timeout, signal)

    async def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        from moby_tui.engine.containers.ending import ending
        from moby_tui.engine.containers.start import start as starting

        record = self._parts.get(ref)
        if record.host_config.auto_remove and self._parts.state(record).alive:
            with preceded(f"Cannot restart container {ref}"):
                await ending.stop_to_run_again(self._parts, record, timeout, signal)
        else:
            with suppress(NotModified), preceded(f"Cannot restart container {ref}"):
                await ending.stop(self._parts, record, timeout, signal)
            await starting.start(self._parts, record)
        self._parts.event("restart", record)

    async def kill(self, ref: str, *, signal: str = "KILL") -> None:
        from moby_tui import stop_signal
        from moby_tui.engine.containers.ending import ending

        try:
            record = self._parts.get(ref)
            number = stop_signal.parse_signal(signal or "KILL")
            if not stop_signal.is_sent(number):
                raise InvalidArgument(f"the linux daemon does not support signal {number}")
        except (InvalidArgument, NotFound) as error:
            raise type(error)(f"cannot kill container: {ref}: {error.message}") from error
        await ending.kill(self._parts, record, number)

    async def pause(self, ref: str) -> None:
        from moby_tui.engine.protocol.control import Freeze

        await self._freeze(ref, Freeze(), "pause", unwanted="paused")

    async def unpause(self, ref: str) -> None:
        from moby_tui.engine.protocol.control import Thaw

        await self._freeze(ref, Thaw(), "unpause", unwanted="running")

    async def _freeze(self, ref: str, operation: Request, action: str, *, unwanted: str) -> None:
        record = self._parts.get(ref)
        state = self._parts.current_state(record)
        if not state.alive and unwanted == "paused":
            raise Conflict(f"container {record.id} is not running")
        self._parts.check_settled(record, state)
        if not state.alive or state.status == unwanted:
            raise Conflict(f"Container {record.id} is {'already' if unwanted == 'paused' else 'not'} paused")
        await self._parts.request(record, operation)
        self._parts.event(action, record)

    async def rename(self, ref: str, name: str) -> None:
        record = self._parts.get(ref)
        name = name.removeprefix("/")
        former = self._renamed(record, name)
        renamed = self._parts.get(record.id)
        if self._parts.state(renamed).alive:
            from moby_tui.engine.containers import connections
            from moby_tui.engine.protocol.control import Rename

            connections.rename(self._parts, renamed)
            # the rename holds if the container ends now, or if its monitor does not answer
            with suppress(MobyError):
                await self._parts.request(renamed, Rename(name=name))
        self._parts.event("rename", renamed, oldName=f"/{former}")

    def _renamed(self, record: ContainerRecord, name: str) -> str:
        """Gives a container another name in the store; returns the former one. Raises ``Conflict``, ``InvalidArgument``."""
        store = self._parts.store
        with preceded("Error when allocating new name", but=SAME_NAME):
            try:
                return store.rename(record.id, name)
            except InvalidArgument as error:
                # with the slash that the names of containers have
                error.message = error.message.replace(f"({name})", f"(/{name})", 1)
                raise
            except Conflict:
                if not self._parts.is_free(name):
                    raise
                return store.rename(record.id, name)

    async def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        from moby_tui.engine.containers import update as updating

        # as with dockerd, before the container is looked for
        updating.check_restart(changes)
        return await updating.update(self._parts, self._parts.get(ref), changes)

    async def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        from moby_tui.engine.containers import ports

        return await ports.change(self._parts, self._parts.get(ref), changes)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        from moby_tui.engine.containers.ending import ending

        await ending.remove(self._parts, self._parts.get(ref), ref, force=force, volumes=volumes)

    async def remove_link(self, name: str) -> None:
        from moby_tui.engine.containers import links

        await links.remove(self._parts, name)

    async def prune(self, *, filters: Filters | None = None) -> ContainersPruned:
        """Removes the containers that do not run. Filters: label, label!, until."""
        from moby_tui.engine.containers.ending import ending

        pruned = ContainersPruned(containers_deleted=[])
        for record, size in await self._prunable(filters):
            with suppress(NotFound, Conflict):  # removed or started meanwhile
                await ending.remove(self._parts, record, record.name, force=False, volumes=False)
                pruned.containers_deleted = [*(pruned.containers_deleted or ()), record.id]
                pruned.space_reclaimed += size
        return pruned

    async def prunable(self, *, filters: Filters | None = None) -> ContainersPruned:
        """The containers that ``prune`` would remove now."""
        prunable = await self._prunable(filters)
        return ContainersPruned(
            containers_deleted=[record.id for record, _ in prunable], space_reclaimed=sum(size for _, size in prunable)
        )

    async def _prunable(self, filters: Filters | None) -> builtins.list[tuple[ContainerRecord, int]]:
        """The containers that ``prune`` removes, each with its bytes on disk. Raises ``InvalidArgument`` for an unknown filter."""
        from moby_tui.engine.containers.views import view
        from moby_tui.engine.kernel.trees import Meter
        from moby_tui.engine.resources.images.describe import timestamp

        given = filters or {}
        for key in given:
            if key not in ("label", "label!", "until"):
                raise InvalidArgument(f"invalid filter '{key}'")
        before = min(map(timestamp, given.get("until", ())), default=float("inf"))
        unwanted = [{"label": [label]} for label in given.get("label!", ())]
        labels = {"label": given.get("label", [])}
        prunable = []
        for record in self._parts.list():
            state = self._parts.current_state(record)
            wanted = not state.alive and record.created < before and view.matches(self._parts, record, state, labels)
            if wanted and not any(view.matches(self._parts, record, state, label) for label in unwanted):
                prunable.append((record, await in_thread(Meter().of, self._parts.files(record).data)))
        return prunable

    async def wait(self, ref: str, *, condition: str = "not-running") -> ExitWait:
        from moby_tui.engine.containers.ending import exit_wait

        record = self._parts.get(ref)
        registered = exit_wait.wait(self._parts, record, condition)
        if not self._parts.files(record).data.exists():
            # removed meanwhile: its exit may have been published before the registration, and its state cannot be read
            await registered.close()
            raise NotFound(f"No such container: {ref}")
        return registered

    # streams

    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        """Attaches to a running or created container. The stream of a created one begins with the first byte that the container writes.

        Raises ``Conflict`` for a container that is paused or waits for its restart.
        """
        from moby_tui.engine.runtime.client import attachment

        record = self._parts.get(ref)
        attachment.parse_detach_keys(options.detach_keys)
        if self._parts.current_state(record).status == "paused":
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        if options.logs or not options.stream:
            return await self._attach_with_history(record, options)
        return await self._attach_live(record, options)

    async def _attach_live(self, record: ContainerRecord, options: AttachOptions) -> Stream:
        from moby_tui.engine.runtime.client import attachment
        from moby_tui.engine.runtime.client import monitor as monitor_client

        files = self._parts.files(record)
        state = self._parts.current_state(record)
        if state.status == "restarting":
            raise Conflict("You cannot attach to a restarting container, wait until it is running")
        self._parts.check_reachable(record, state)
        if state.alive:
            stream = await monitor_client.attach(files.socket, options, self._parts.patience(record), tty=record.config.tty)
        else:
            stream = await attachment.attach_before_start(files.attachments, options, tty=record.config.tty)
        self._parts.event("attach", record)
        return stream

    async def _attach_with_history(self, record: ContainerRecord, options: AttachOptions) -> Stream:
        """A stream of the log so far and, with ``options.stream``, of what the container writes from now on."""
        status = self._parts.current_state(record).status
        live = await self._attach_live(record, options) if options.stream else None
        if live is not None and status == "created":
            # it has no log yet
            return live
        from moby_tui.engine.containers import logs
        from moby_tui.engine.containers.views.history import history_stream

        wanted = LogOptions(stdout=options.stdout, stderr=options.stderr)
        past = logs.read(record, self._parts.files(record), wanted)
        return history_stream(past, live, tty=record.config.tty)

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        from moby_tui.engine.containers import logs

        record = self._parts.get(ref)
        if not options.stdout and not options.stderr:
            raise InvalidArgument("You must choose at least one stream")
        files = self._parts.files(record)

        def alive() -> bool:
            return files.data.exists() and self._parts.current_state(record).alive

        async for stream, line in logs.read(record, files, options, alive):
            yield (STDOUT if stream == STDOUT else STDERR), line

    async def resize(self, ref: str, *, height: int, width: int) -> None:
        from moby_tui.engine.protocol.control import Resize

        record = self._parts.get(ref)
        await self._parts.request(record, Resize(height=height, width=width))
        self._parts.event("resize", record, height=str(height), width=str(width))

    async def stats(self, ref: str, *, stream: bool = True, one_shot: bool = False) -> AsyncIterator[Stats]:
        from moby_tui.engine.containers.views import stats as statistics

        async for sample in statistics.stats(self._parts, self._parts.get(ref), stream=stream, one_shot=one_shot):
            yield sample

    async def top(self, ref: str, ps_args: str = "-ef") -> Top:
        from moby_tui.engine.containers.views.processes import top

        record = self._parts.get(ref)
        state = self._parts.current_state(record)
        if not state.alive:
            raise Conflict(f"container {record.id} is not running")
        self._parts.check_settled(record, state)
        self._parts.event("top", record)
        return await top(self._parts.cgroup_path(record), ps_args or "-ef")

    # execs

    async def exec_create(self, ref: str, config: ExecCreate) -> str:
        from moby_tui.engine.containers import execs

        with refusals_told(self._parts.paths.exec_root):
            return await execs.create(self._parts, ref, config)

    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        from moby_tui.engine.containers import execs

        return await execs.start(self._parts, exec_id, options)

    async def exec_inspect(self, exec_id: str) -> ExecInspect:
        from moby_tui.engine.containers import execs

        return execs.inspect(self._parts, exec_id)

    async def exec_resize(self, exec_id: str, *, height: int, width: int) -> None:
        from moby_tui.engine.containers import execs

        await execs.resize(self._parts, exec_id, height, width)

    # files

    async def changes(self, ref: str) -> builtins.list[PathChange]:
        from moby_tui.engine.containers.views import changes

        record = self._parts.get(ref)
        layers = self._parts.layers(record)
        return await in_thread(changes.changes, self._parts.files(record).upper, layers)

    def files(self, ref: str, path: str = "/") -> AsyncIterator[FolderEntry]:
        from moby_tui.engine.containers import contents

        return contents.files(self._parts, ref, path)

    async def archive_stat(self, ref: str, path: str) -> PathStat:
        from moby_tui.engine.containers import contents

        return await contents.stat(self._parts, ref, path)

    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        from moby_tui.engine.containers import contents

        return await contents.get(self._parts, ref, path)

    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        from moby_tui.engine.containers import contents

        await contents.put(
            self._parts, ref, path, archive, no_overwrite_dir_non_dir=no_overwrite_dir_non_dir, copy_uid_gid=copy_uid_gid
        )

    def export(self, ref: str) -> AsyncIterator[bytes]:
        from moby_tui.engine.containers import contents

        return contents.export(self._parts, ref)

    async def commit(
        self,
        ref: str,
        *,
        reference: str = "",
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        config: ContainerConfig | None = None,
        pause: bool = True,
    ) -> str:
        from moby_tui.engine.containers import commit

        record = self._parts.get(ref)
        return await commit.commit(
            self._parts,
            record,
            reference=reference,
            message=message,
            author=author,
            changes=changes,
            config=config,
            pause=pause,
        )

    # for the engine

    async def settle(self, unborn: Iterable[str] = ()) -> None:
        """Cleans up after killed monitors, after a crash of the machine, and after killed creators of containers.

        ``unborn`` are the ids of containers whose creator was killed before it committed their rows.
        """
        settling.discard_unborn(self._parts, unborn)
        await settling.settle_all(self._parts)

    async def restore(self) -> None:
        """For a daemon that begins: starts the containers that ended with the machine or with the last daemon, as their restart policies
        say."""
        from moby_tui.engine.containers import boot

        await boot.restore(self._parts)

    async def shut_down(self, timeout: int) -> None:
        """For a daemon that ends: stops its containers. The next daemon starts them again.

        ``timeout`` is in seconds.
        """
        from moby_tui.engine.containers import boot

        await boot.shut_down(self._parts, timeout)

    def using_image(self, image_id: str) -> builtins.list[tuple[str, bool]]:
        """The ids of the containers that were made of an image or that mount it, and whether each runs."""
        return [
            (record.id, self._parts.current_state(record).alive)
            for record in self._parts.list()
            if record.image_id == image_id or any(mount.type == "image" and mount.name == image_id for mount in record.mounts)
        ]

    def using_volume(self, name: str) -> builtins.list[str]:
        """The ids of the containers that mount a volume, whether or not they run."""
        return [
            record.id
            for record in self._parts.list()
            if any(mount.type == "volume" and mount.name == name for mount in record.mounts)
        ]

    def using_secret(self, ident: str) -> builtins.list[str]:
        """The names of the containers that refer to a secret, whether or not they run."""
        return [
            record.name for record in self._parts.list() if any(secret.id == ident for secret in record.host_config.secrets or ())
        ]


def _lists_all(all: bool, limit: int, filters: Filters) -> bool:
    """True if a list also has the containers that do not run."""
    return all or limit > 0 or "status" in filters


def _disk_use(folder: str) -> int:
    """The bytes of the files below a folder. A file that is removed meanwhile is not counted."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
                if entry.is_dir(follow_symlinks=False):
                    total += _disk_use(entry.path)
    except FileNotFoundError:
        return total
    return total
