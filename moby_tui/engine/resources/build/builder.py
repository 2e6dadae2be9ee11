"""Building images: the client protocol's ``Builder``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from typing import TYPE_CHECKING

from moby_tui.engine.resources.build import pruning, requests
from moby_tui.engine.resources.images import describe, staging
from moby_tui.engine.resources.images.content import ContentStore
from moby_tui.engine.resources.images.layers import LayerStore
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.images import ImageRecord, ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.image import BuildCacheRow, BuildPruned, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moby_tui.engine.resources.build.pruning import Entry
    from moby_tui.engine.resources.build.step import StepRunner


class ImageBuilder:
    """Use from the thread of the event loop. ``steps`` runs what RUN says."""

    def __init__(self, paths: Paths, database: Database, images: ImageManager, steps: StepRunner) -> None:
        self._paths = paths
        self._images = images
        self._steps = steps
        self._rows = ImageRows(database)
        self._content = ContentStore(paths.blobs)
        self._layers = LayerStore(paths.layers, paths.staging)

    async def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
    ) -> AsyncIterator[Progress]:
        """Raises ``StepFailed``, ``InvalidArgument`` with the Dockerfile's line, ``NotImplementedYet``, ``NotFound``, ``StorageFull``.

        A failure leaves no container and nothing half-made; the steps before it stay in the cache. The last line with ``aux`` has the ``ID``.
        """
        from moby_tui.engine.resources.build.job import Job

        options = options or BuildOptions()
        requests.check(options)
        async with AsyncExitStack() as stack:
            stack.enter_context(self._arrival())
            folder = await stack.enter_async_context(staging.claim(self._paths.staging, f"context-{os.urandom(16).hex()}"))
            report = Report()
            job = Job(self._paths, self._images, self._rows, self._content, self._layers, self._steps, options, report, folder)
            async with aclosing(report.of(job.run(context, contexts or {}, stack))) as lines:
                async for line in lines:
                    yield line
            if options.check:
                return
            async with aclosing(job.outputs()) as pieces:
                async for line in pieces:
                    yield line

    async def prune(self, *, all: bool = False, filters: Filters | None = None, keep_storage: int = 0) -> BuildPruned:
        """Gives the cache's space back; what an image here is made of is kept unless ``all``. Filter: ``until``, as for images.

        ``keep_storage``: as many bytes may stay, of what was used last.
        """
        for name in filters or {}:
            if name != "until":
                raise InvalidArgument(f"invalid filter '{name}'; give until")
        older_than = min(map(describe.timestamp, (filters or {}).get("until", ())), default=float("inf"))
        kept = [] if all else [record.config.rootfs.diff_ids for record in self._rows.all()]
        folder = self._paths.cache / "build"
        steps = await in_thread(pruning.prune_steps, folder, kept, older_than, keep_storage, self._size_of)
        left = sum(entry.size for entry in await in_thread(self._usage_of_steps)) if keep_storage else 0
        room = max(keep_storage - left, 0)
        mounts, size = await in_thread(pruning.prune_mounts, self._paths.cache / "build-mounts", older_than, room)
        layers = await self._images.discard([_record(entry) for entry in steps])
        return BuildPruned(
            caches_deleted=[*(entry.file.name for entry in steps), *mounts],
            space_reclaimed=size + layers + sum(entry.size for entry in steps),
        )

    async def usage(self) -> list[BuildCacheRow]:
        """What the cache holds, the longest unused first."""
        return await in_thread(self._usage)

    def _usage(self) -> list[BuildCacheRow]:
        rows = self._usage_of_steps()
        for place, size in pruning.mounts(self._paths.cache / "build-mounts"):
            used = place.stat().st_mtime
            rows.append(BuildCacheRow(id=place.name, type="exec.cachemount", size=size, last_used_at=describe.rfc3339(used)))
        return rows

    def _usage_of_steps(self) -> list[BuildCacheRow]:
        """Each layer counts for the step that made it; one that an image has too is shared with it."""
        known = [record.config.rootfs.diff_ids for record in self._rows.all()]
        used = {tuple(layers[:count]) for layers in known for count in range(len(layers) + 1)}
        theirs = {diff_id for layers in known for diff_id in layers}
        rows, seen = [], set(theirs)
        for entry in pruning.entries(self._paths.cache / "build"):
            own = [diff_id for diff_id in entry.layers if diff_id not in seen]
            seen.update(own)
            history = entry.image.config.history
            rows.append(
                BuildCacheRow(
                    id=entry.file.name,
                    type="regular",
                    description=history[-1].created_by if history else "",
                    in_use=tuple(entry.layers) in used,
                    shared=bool(entry.layers) and not own,
                    size=sum(map(self._size_of, own)),
                    created_at=entry.image.config.created or "",
                    last_used_at=describe.rfc3339(entry.used),
                )
            )
        return rows

    def _size_of(self, diff_id: str) -> int:
        with suppress(FileNotFoundError, ValueError):
            return self._layers.size(diff_id)
        return 0

    @contextmanager
    def _arrival(self) -> Iterator[None]:
        """While layers are made that no image has yet, none is swept; and what the disk refuses is told as ours."""
        try:
            with staging.shared(self._paths.blobs / "lock"), refusals_told():
                yield
        except OSError as error:
            raise MobyError(f"the build failed: {error}; check the data root {self._paths.data_root}") from error


def _record(entry: Entry) -> ImageRecord:
    blobs = [blob.digest for blob in entry.image.blobs]
    return ImageRecord(id=entry.image.id, manifest="", config=entry.image.config, size=0, layer_sizes=[], blobs=blobs)
