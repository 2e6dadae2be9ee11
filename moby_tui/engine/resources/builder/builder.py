"""Builds images: ``Engine.builder``, which is the client protocol's ``Builder``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from typing import TYPE_CHECKING

from moby_tui.engine.resources.builder import pruning, requests
from moby_tui.engine.resources.builder.announcement import announced
from moby_tui.engine.resources.images import describe
from moby_tui.engine.resources.images.manager import ImageManager, Publish
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import CacheBounds
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions, Caller
from moby_tui.schema.image import BuildPruned, Progress
from moby_tui.schema.operations import Lookup, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moby_tui.engine.resources.builder.step import StepRunner


#: Seconds.
_BOUNDED_EVERY = 24 * 3600.0
_PART_OF_DISK = 10
#: Filters of prune by the time of the last use.
_AGES = ("until", "unused-for")
#: Filters of prune by what a record is.
_FIELDS = ("id", "type", "description")
_LEAST_ROOM = 2 << 30


def _wanted(filters: Filters) -> pruning.Wanted:
    """Raises ``InvalidArgument`` for a malformed expression."""
    # imported here, since few prunes name a record
    from moby_tui.expressions import compile_expression

    try:
        idents = [compile_expression(text) for text in filters.get("id", ())]
    except ValueError as error:
        raise InvalidArgument(f"invalid filter 'id': {error}") from error
    kinds, descriptions = filters.get("type", ()), filters.get("description", ())

    def wanted(ident: str, kind: str, description: str) -> bool:
        return (
            (not idents or any(expression.search(ident) for expression in idents))
            and (not kinds or kind in kinds)
            and (not descriptions or description in descriptions)
        )

    return wanted


def _take_nothing(line: Progress) -> None: ...


class ImageBuilder:
    """Use from the thread of the event loop. ``steps`` runs the commands of RUN in containers."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        images: ImageManager,
        steps: StepRunner,
        publish: Publish,
        bounds: Callable[[], CacheBounds] = CacheBounds,
    ) -> None:
        self._paths = paths
        self._images = images
        self._steps = steps
        self._publish = publish
        self._rows = ImageRows(database)
        self._content = ContentStore(paths.blobs)
        self._layers = images.layers
        self._bounds = bounds

    async def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
        caller: Caller | None = None,
    ) -> AsyncIterator[Progress]:
        """Raises ``StepFailed``, ``InvalidArgument`` with the Dockerfile's line, ``NotImplementedYet``, ``NotFound``, ``StorageFull``.

        A failure leaves no container and nothing half-made; the steps before it stay in the cache. The last line with ``aux`` has the ``ID``.
        """
        from moby_tui.engine.resources.builder.job import Job
        from moby_tui.engine.resources.builder.stores import Stores

        options = options or BuildOptions()
        requests.check(options)
        async with AsyncExitStack() as stack:
            is_quiet = options.check or isinstance(options.task, Lookup | Sandbox)
            took = _take_nothing if is_quiet else stack.enter_context(announced(self._publish, options))
            stack.enter_context(self._arrival())
            folder = await stack.enter_async_context(staging.claim(self._paths.staging, f"context-{os.urandom(16).hex()}"))
            report = Report()
            stores = Stores(self._paths, self._images, self._rows, self._content, self._layers)
            job = Job(stores, self._steps, options, report, folder, caller)
            async with aclosing(report.of(job.run(context, contexts or {}, stack))) as lines:
                async for line in lines:
                    took(line)
                    yield line
            if options.check or caller is not None:
                return
            async with aclosing(job.outputs()) as pieces:
                async for line in pieces:
                    yield line
        await self._limit_size()

    async def _limit_size(self) -> None:
        """Now and then removes the steps that were not used for longest, to keep the cache within its part of the disk, as BuildKit does."""
        bounds = self._bounds()
        if not bounds.enabled:
            return
        done = self._paths.cache / "build-bounded"
        with suppress(FileNotFoundError):
            if staging.age(done) <= _BOUNDED_EVERY:
                return
        done.touch()
        await self.prune(reserved_space=self.reserved(), max_used_space=bounds.most, min_free_space=bounds.free)

    def reserved(self) -> int:
        """The bytes that the cache may take in any case; layers of images do not count."""
        bounds = self._bounds()
        if bounds.reserved or bounds.most or bounds.free:
            return bounds.reserved
        disk = os.statvfs(self._paths.data_root)
        return max(disk.f_blocks * disk.f_frsize // _PART_OF_DISK, _LEAST_ROOM)

    async def prune(
        self,
        *,
        all: bool = False,
        filters: Filters | None = None,
        reserved_space: int = 0,
        max_used_space: int = 0,
        min_free_space: int = 0,
    ) -> BuildPruned:
        """Removes cached steps; those that a local image is made of are kept unless ``all``. Filters: ``until``, as
        for images, or BuildKit's word for it, ``unused-for``; ``id``, an expression; ``type`` and ``description`` as a whole.

        In bytes: the steps that were used last are kept, ``reserved_space`` of them in any case, and at most ``max_used_space``, or less for
        ``min_free_space`` to be free.
        """
        room = await self.kept_space(reserved_space, max_used_space, min_free_space)
        unused = await self.prunable(all=all, filters=filters, keep_storage=room)
        digests = self._images.unneeded(unused.digests)
        size = unused.size + await in_thread(self._images.measure, digests)
        await in_thread(pruning.forget, self._paths.build_steps, unused.steps)
        await self._images.discard(digests)
        await in_thread(pruning.empty, self._paths.build_mounts, unused.mounts)
        return BuildPruned(caches_deleted=[*unused.steps, *unused.mounts], space_reclaimed=size)

    async def kept_space(self, reserved: int, most: int, free: int) -> int:
        """The bytes of the cache that a prune keeps, as BuildKit computes them (cache/manager.go); 0: none."""
        if free > 0:
            disk = os.statvfs(self._paths.data_root)
            if (missing := free - disk.f_bavail * disk.f_frsize) > 0:
                whole = await self.prunable(all=True)
                total = whole.size + await in_thread(self._images.measure, self._images.unneeded(whole.digests))
                most = min(most or total, total - missing)
        return max(most, reserved, 0)

    async def prunable(
        self, *, all: bool = False, filters: Filters | None = None, gone: Collection[str] = (), keep_storage: int = 0
    ) -> pruning.Prunable:
        """What ``prune`` would remove now, if the images ``gone`` were removed."""
        for name in filters or {}:
            if name not in (*_AGES, *_FIELDS):
                raise InvalidArgument(f"invalid filter '{name}'")
        ages = [value for name in _AGES for value in (filters or {}).get(name, ())]
        older_than = min(map(describe.timestamp, ages), default=float("inf"))
        records = [record for record in self._rows.all() if record.id not in gone]
        kept = [] if all else [record.config.rootfs.diff_ids for record in records]
        owned: set[str] = set().union(*(record.content for record in records))
        return await in_thread(
            pruning.prunable,
            self._paths.build_steps,
            self._paths.build_mounts,
            kept,
            older_than,
            keep_storage,
            lambda digests: self._images.measure(digests - owned),
            _wanted(filters or {}),
        )

    @contextmanager
    def _arrival(self) -> Iterator[None]:
        """Around a build: no sweep runs, since the new layers belong to no image yet, and errors of the disk become ``MobyError``."""
        try:
            with staging.shared(self._paths.blobs / "lock"), refusals_told():
                yield
        except OSError as error:
            raise MobyError(f"the build failed: {error}; check the data root {self._paths.data_root}") from error
