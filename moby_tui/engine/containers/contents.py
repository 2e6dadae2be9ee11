"""The files of a container for the client protocol: what is in a folder, archives out of it and into it, its export. Runs in an engine.

Each function opens the container's file system, and waits for its thread before it closes it, also if its caller is cancelled.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

from moby_tui.engine.archive import files as archive
from moby_tui.engine.archive.listing import listing
from moby_tui.engine.containers.file_system import opened
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import isolation
from moby_tui.engine.kernel.ids import Owners
from moby_tui.engine.runtime.configuration import user
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.schema.container import PathStat
from moby_tui.schema.files import FolderEntry

#: How many entries of a folder a thread reads before it passes them to the event loop.
_BATCH = 1000


async def files(parts: Parts, ref: str, path: str) -> AsyncIterator[FolderEntry]:
    """What is in a folder. Raises ``NotFound``, ``InvalidArgument``."""
    record = parts.get(ref)
    async with opened(parts, record, mounts=True) as root:
        entries = listing(root, path, _of(ref), _owners(parts, record))
        while batch := await in_thread(lambda: list(itertools.islice(entries, _BATCH))):
            for entry in batch:
                yield entry


async def stat(parts: Parts, ref: str, path: str) -> PathStat:
    """Name, size, mode and time of a path; a link itself. Raises ``NotFound``."""
    async with opened(parts, parts.get(ref), mounts=True) as root:
        return await in_thread(archive.stat, root, path, _of(ref))


async def get(parts: Parts, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
    """What ``stat`` returns, and a tar of the path, piece by piece. Raises ``NotFound``."""
    record = parts.get(ref)
    status = await stat(parts, ref, path)
    parts.event("archive-path", record)
    return status, _pieces(parts, record, path)


async def _pieces(parts: Parts, record: ContainerRecord, path: str) -> AsyncIterator[bytes]:
    async with opened(parts, record, mounts=True) as root:
        pieces = archive.get(root, path, _owners(parts, record))
        while (piece := await in_thread(next, pieces, None)) is not None:
            yield piece


async def put(
    parts: Parts,
    ref: str,
    path: str,
    content: AsyncIterator[bytes],
    *,
    no_overwrite_dir_non_dir: bool,
    copy_uid_gid: bool,
) -> None:
    """Unpacks a tar into a folder. With ``copy_uid_gid`` all of it belongs to the container's user.

    Raises ``NotFound``, ``InvalidArgument``, also for a place that is mounted read-only, and ``StorageFull``.
    """
    record = parts.get(ref)
    mounts = {mount.destination: mount.rw for mount in record.mounts if mount.type != "tmpfs"}
    async with opened(parts, record, mounts=True) as root:
        await in_thread(archive.check_writable, root, path, mounts, _of(ref), read_only=record.host_config.readonly_rootfs)
        who = user.resolve(root, record.config.user, []) if copy_uid_gid and record.config.user else None
        await archive.put(
            root,
            path,
            content,
            no_overwrite_dir_non_dir=no_overwrite_dir_non_dir,
            belonging_to=(who.uid, who.gid) if who else None,
            owners=_owners(parts, record),
            of=_of(ref),
        )
    parts.event("extract-to-dir", record)


async def export(parts: Parts, ref: str) -> AsyncIterator[bytes]:
    """A tar of the container's layers, without what is mounted in it, piece by piece."""
    record = parts.get(ref)
    parts.event("export", record)
    async with opened(parts, record, mounts=False) as root:
        pieces = archive.export(root, _owners(parts, record))
        while (piece := await in_thread(next, pieces, None)) is not None:
            yield piece


def _of(ref: str) -> str:
    """Where a file was looked for, in the error that it is not there."""
    return f"container {ref}"


def _owners(parts: Parts, record: ContainerRecord) -> Owners:
    """Translates owners in the container's root: files of its layers have ids of its user namespace, files in its mounts ids of the host."""
    if not record.host_config.userns_mode or not parts.current_state(record).alive:
        return Owners()
    return Owners(*isolation.maps_of(parts, record))
