"""The layer store: unpacked layers, named by the digest of their plain tar (the diff id).

``layers/<hex>/diff`` is what overlayfs takes; ``size`` holds the bytes of its files; ``implied`` lists directories that the
archive uses without describing them: they take their attributes from the layer below, once that is known. The folder
carries the mark of ``written`` until all of it is on the disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import open_in_root, sync_file_system
from moby_tui.engine.resources.images.store import written
from moby_tui.engine.resources.images.store.form import DIFF, IMPLIED, SIZE, is_opaque
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.tasks import in_thread, settled
from moby_tui.errors import MobyError
from moby_tui.reference import hex_of

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.store.content import Ingest
    from moby_tui.engine.resources.images.unpack.workers import Unpackers

#: A smaller blob is unpacked in less time than it takes to start the unpacker.
WORTH_A_PROCESS = 2 << 20
#: Seconds until the ``syncfs``: the kernel has written most of it by then (vm.dirty_expire_centisecs), and one call serves several pulls.
_SECONDS_UNTIL_WRITTEN = 90.0


class LayerStore:
    """The unpacked layers of one engine. ``close`` writes new layers through to the disk, if that is not done yet."""

    def __init__(self, layers: Path, staging_folder: Path) -> None:
        self._layers = layers
        self._staging = staging_folder
        self._workers: Unpackers | None = None
        self._writing: asyncio.Task[None] | None = None

    def folder(self, diff_id: str) -> Path:
        return self._layers / hex_of(diff_id)

    def has(self, diff_id: str) -> bool:
        """True if the layer is there and whole: see ``written``."""
        folder = self.folder(diff_id)
        return folder.exists() and not written.may_be_lost(str(folder))

    def lost(self, diff_id: str) -> bool:
        """True if the layer is there but may be damaged by a power cut."""
        return written.may_be_lost(str(self.folder(diff_id)))

    def size(self, diff_id: str) -> int:
        """Bytes of the files in a layer that is there."""
        return 0 if self.lost(diff_id) else int((self.folder(diff_id) / SIZE).read_text())

    def diff_ids(self) -> list[str]:
        return ["sha256:" + folder.name for folder in self._layers.iterdir()]

    def claim_name(self, diff_id: str) -> str:
        """The folder in staging in which this layer, and no other, is made."""
        return f"layer-{hex_of(diff_id)}"

    # A layer is made

    @property
    def _unpackers(self) -> Unpackers:
        """Imported on first use: a command that only runs a container unpacks nothing."""
        if self._workers is None:
            from moby_tui.engine.resources.images.unpack.workers import Unpackers

            self._workers = Unpackers()
        return self._workers

    async def unpack_following(
        self, ingest: Ingest, size: int, diff_id: str, folder: Path, used: Callable[[int], None] = lambda _: None
    ) -> None:
        """Unpacks a blob of ``size`` bytes while it comes in, within a claimed folder, and makes the layer appear.

        ``used`` hears how many bytes are done. A failure of the ingest is raised here too. Raises what ``unpack`` does; nothing
        appears then. When cancelled it raises once nothing writes to the folder any more.
        """
        if size < WORTH_A_PROCESS:
            await in_thread(_unpack, _counted(ingest.follow(), used), diff_id, folder / "layer")
        else:
            async with self._unpackers.job(ingest.fileno(), size, diff_id, folder / "layer") as job:
                with ingest.watched(job.tell, job.interrupt):
                    await job.result(lambda: ingest.size, used)
        await in_thread(self._appear, folder / "layer", diff_id)
        self.write_through_soon()

    async def unpack_early(self, ingest: Ingest, size: int, folder: Path) -> str:
        """Unpacks a blob of ``size`` bytes while it comes in, into ``folder``/layer; returns its diff id. See ``take_unpacked``."""
        async with self._unpackers.job(ingest.fileno(), size, "", folder / "layer") as job:
            with ingest.watched(job.tell, job.interrupt):
                return await job.result(lambda: ingest.size, lambda _: None)

    async def take_unpacked(self, layer: Path, diff_id: str) -> None:
        """Takes what ``unpack_early`` made, unless the layer is there."""
        from moby_tui.engine.resources.images.store import staging

        async with staging.claim(self._staging, self.claim_name(diff_id)):
            if not self.has(diff_id):
                await in_thread(self._appear, layer, diff_id)
                self.write_through_soon()

    async def make(self, chunks: Iterable[bytes], diff_id: str) -> None:
        """Unpacks a layer from what is on this machine already, unless it is there."""
        from moby_tui.engine.resources.images.store import staging

        async with staging.claim(self._staging, self.claim_name(diff_id)) as folder:
            if not self.has(diff_id):
                await in_thread(_unpack, chunks, diff_id, folder / "layer")
                await in_thread(self._appear, folder / "layer", diff_id)
                self.write_through_soon()

    async def take(self, tree: Path, diff_id: str, size: int) -> None:
        """Takes a folder in staging, which nobody uses any more, as a layer's tree, unless the layer is there. It has all directories
        with the attributes that they are to have. ``size``: bytes of its files."""
        from moby_tui.engine.resources.images.store import staging

        async with staging.claim(self._staging, self.claim_name(diff_id)) as folder:
            if not self.has(diff_id):
                await in_thread(_take, tree, size, folder / "layer")
                await in_thread(self._appear, folder / "layer", diff_id)
                self.write_through_soon()

    async def make_of(self, blob: Path, diff_id: str) -> None:
        """As ``make``, of a file that holds the layer's blob."""
        from moby_tui.engine.resources.images.store import staging

        size = blob.stat().st_size
        if size < WORTH_A_PROCESS:
            # imported here, since few commands unpack layers
            from moby_tui.engine.archive.compression import pieces_of

            await self.make(pieces_of(blob), diff_id)
            return
        async with staging.claim(self._staging, self.claim_name(diff_id)) as folder:
            if not self.has(diff_id):
                with blob.open("rb") as file:
                    async with self._unpackers.job(file.fileno(), size, diff_id, folder / "layer") as job:
                        job.tell(size)
                        await job.result(lambda: size, lambda _: None)
                await in_thread(self._appear, folder / "layer", diff_id)
                self.write_through_soon()

    def _appear(self, layer: Path, diff_id: str) -> None:
        place = self.folder(diff_id)
        with refusals_told():
            if self.has(diff_id):
                return
            if place.exists():
                place.rename(layer.with_name("lost"))  # removed with the claimed folder
            fault.point("layer.unpacked")
            layer.rename(place)
        written.appeared(str(place))
        fault.point("layer.appeared")

    # A layer is written through

    def write_through_soon(self) -> None:
        """Starts a ``syncfs`` in the background, after a pause, for layers and blobs that have appeared by then."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_through_later())

    async def _write_through_later(self) -> None:
        while written.is_pending():
            await asyncio.sleep(_SECONDS_UNTIL_WRITTEN)
            await self._write_through()

    async def _write_through(self) -> None:
        """Writes through, if anything is unwritten; what cannot be written keeps its mark."""
        if written.is_pending():
            with suppress(OSError):
                await in_thread(written.write_through)

    async def close(self) -> None:
        """Writes through what is not written yet, and ends the unpacker."""
        if self._writing:
            self._writing.cancel()
            await settled(self._writing)
            self._writing = None
        await self._write_through()
        if self._workers:
            self._workers.close()

    # Layers are used

    def stack(self, diff_ids: list[str]) -> list[Path]:
        """The directories for overlayfs, top-most first.

        A layer that occurs twice is used at its highest place only (it has the same content there, and overlayfs refuses a
        directory twice); below a layer whose root is opaque nothing can be seen. Raises ``MobyError`` for a layer that is lost.
        """
        seen: set[str] = set()
        directories = []
        for diff_id in reversed(diff_ids):
            if diff_id in seen:
                continue
            seen.add(diff_id)
            if self.lost(diff_id):
                raise MobyError(f"layer {diff_id} was not on the disk yet when the machine stopped; pull or load the image again")
            directory = self.folder(diff_id) / DIFF
            directories.append(directory)
            if is_opaque(directory):
                break
        return directories

    def adopt_attributes(self, diff_ids: list[str]) -> None:
        """Gives the implied directories of these layers, lowest first, the attributes they have below (a layer with ``tmp/x`` and
        no ``tmp`` must not close /tmp). Blocking. Over a link of a lower layer it stays a directory, as in Docker."""
        for position, diff_id in enumerate(diff_ids):
            layer = self.folder(diff_id)
            implied = layer / IMPLIED
            if position == 0 or not implied.exists():
                continue
            with refusals_told():
                written.mark(str(layer))
                lowers = [self.folder(lower) / DIFF for lower in reversed(diff_ids[:position])]
                for name in json.loads(implied.read_text()):
                    _adopt(layer / DIFF, lowers, name)
                implied.unlink(missing_ok=True)
            written.appeared(str(layer))


def _unpack(chunks: Iterable[bytes], diff_id: str, layer: Path) -> None:
    from moby_tui.engine.resources.images.unpack.unpack import unpack

    unpack(chunks, diff_id, str(layer))


def _take(tree: Path, size: int, layer: Path) -> None:
    """Makes the folder ``layer`` of a tree, as ``unpack`` makes one of a blob."""
    with refusals_told():
        layer.mkdir(mode=0o755)
        marked = written.mark(str(layer))
        tree.rename(layer / DIFF)
        (layer / SIZE).write_text(str(size))
        if not marked:
            # imported here, since few file systems cannot hold the mark
            from moby_tui.engine.kernel.trees import closing

            with closing(os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as folder:
                sync_file_system(folder)


def _counted(chunks: Iterator[bytes], used: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        used(done)


def _adopt(diff: Path, lowers: list[Path], name: str) -> None:
    root = os.open(diff, os.O_PATH | os.O_DIRECTORY)
    try:
        target = open_in_root(root, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    finally:
        os.close(root)
    try:
        for lower in lowers:
            try:
                status = _lstat_in(lower, name)
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                return
            if stat.S_ISDIR(status.st_mode):
                os.fchown(target, status.st_uid, status.st_gid)
                os.fchmod(target, stat.S_IMODE(status.st_mode))
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            return
    finally:
        os.close(target)


def _lstat_in(directory: Path, name: str) -> os.stat_result:
    root = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        fd = open_in_root(root, name, os.O_PATH | os.O_NOFOLLOW)
    finally:
        os.close(root)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
