"""Building images: the client protocol's ``Builder``, in the steps and words of Docker's classic builder."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.engine.resources.build import pruning
from moby_tui.engine.resources.build.cache import BuildCache
from moby_tui.engine.resources.build.context import Context
from moby_tui.engine.resources.build.image import BuiltImage
from moby_tui.engine.resources.build.layering import Layering
from moby_tui.engine.resources.build.parser import excerpt
from moby_tui.engine.resources.build.step import StepRunner
from moby_tui.engine.resources.images import describe, staging
from moby_tui.engine.resources.images.content import ContentStore
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.reference import Reference, parse
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters
from moby_tui.schema.image import BuildPruned, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Docker's rule for a name in ``--build-arg`` and ``--label`` is none at all; what can be in an environment is ours.
_VARIABLE = re.compile(r"[^=\0]+")


@dataclass(frozen=True)
class Request:
    """What a caller asks for, checked."""

    dockerfile: str
    tags: list[Reference]
    build_args: dict[str, str]
    labels: dict[str, str]
    target: str
    no_cache: bool
    secrets: dict[str, bytes]


class ImageBuilder:
    """Use from the thread of the event loop. ``steps`` runs what RUN says."""

    def __init__(self, paths: Paths, database: Database, images: ImageManager, steps: StepRunner) -> None:
        self._paths = paths
        self._images = images
        self._steps = steps
        self._rows = ImageRows(database)
        self._content = ContentStore(paths.blobs)
        self._layers = images.layers
        self._layering = Layering(self._layers, self._content, paths.staging)

    async def build(
        self,
        context: AsyncIterator[bytes],
        *,
        dockerfile: str = "Dockerfile",
        tags: list[str] | None = None,
        build_args: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        target: str = "",
        no_cache: bool = False,
        secrets: dict[str, bytes] | None = None,
    ) -> AsyncIterator[Progress]:
        """Raises ``StepFailed``, ``InvalidArgument`` with the Dockerfile's line, ``NotImplementedYet``, ``NotFound``, ``StorageFull``.

        A failure leaves no container and nothing half-made; the steps before it stay in the cache. The last line with ``aux`` has the ``ID``.
        """
        request = Request(
            dockerfile or "Dockerfile",
            _references(tags or []),
            _variables(build_args or {}),
            labels or {},
            target,
            no_cache,
            secrets or {},
        )
        report = Report()
        async with aclosing(report.of(self._build(context, request, report))) as lines:
            async for line in lines:
                yield line

    async def prune(self, *, all: bool = False, filters: Filters | None = None) -> BuildPruned:
        """Gives the cache's space back; what an image here is made of is kept unless ``all``. Filter: ``until``, as for images."""
        for name in filters or {}:
            if name != "until":
                raise InvalidArgument(f"invalid filter '{name}'; give until")
        older_than = min(map(describe.timestamp, (filters or {}).get("until", ())), default=float("inf"))
        kept = [] if all else [record.config.rootfs.diff_ids for record in self._rows.all()]
        steps, small = await in_thread(pruning.prune_steps, self._paths.cache / "build", kept, older_than)
        mounts, large = await in_thread(pruning.prune_mounts, self._paths.cache / "build-mounts", older_than)
        return BuildPruned(caches_deleted=[*steps, *mounts], space_reclaimed=small + large)

    async def _build(self, sent: AsyncIterator[bytes], request: Request, report: Report) -> None:
        from moby_tui.engine.resources.build.dispatch import Build
        from moby_tui.engine.resources.build.workshop import Workshop
        from moby_tui.engine.resources.images.load import receive

        async with staging.claim(self._paths.staging, f"context-{os.urandom(16).hex()}") as folder:
            with self._arrival():
                await receive(sent, folder / "archive")
                (folder / "context").mkdir()
                with Context(folder / "context") as context:
                    await in_thread(context.unpack, folder / "archive")
                    text = context.dockerfile(request.dockerfile)
                    with _shown(request.dockerfile, text, report):
                        build = Build(text, request)
                    await in_thread(context.leave_out_ignored, request.dockerfile)
                    shop = Workshop(
                        context=context,
                        images=self._images,
                        rows=self._rows,
                        content=self._content,
                        layering=self._layering,
                        cache=BuildCache(self._paths.cache / "build", self._layers, self._content),
                        steps=self._steps,
                        report=report,
                        no_cache=request.no_cache,
                        escape=build.dockerfile.escape,
                        scratch=folder,
                        private=self._paths.exec_root / "build",
                        caches=self._paths.cache / "build-mounts",
                        secrets=request.secrets,
                    )
                    with _shown(request.dockerfile, text, report):
                        image = await build.run(shop)
                await self._register(image, request.tags, report)

    @contextmanager
    def _arrival(self) -> Iterator[None]:
        """While layers are made that no image has yet, none is swept; and what the disk refuses is told as ours."""
        try:
            with staging.shared(self._paths.blobs / "lock"), refusals_told():
                yield
        except OSError as error:
            raise MobyError(f"the build failed: {error}; check the data root {self._paths.data_root}") from error

    async def _register(self, image: BuiltImage, tags: list[Reference], report: Report) -> None:
        if not image.id:
            raise InvalidArgument("No image was generated. Is your Dockerfile empty?")
        self._images.adopt(await in_thread(self._layering.record, image))
        report.say(Progress(aux={"ID": image.id}))
        report.say(Progress(stream=f"Successfully built {image.short}\n"))
        for tag in tags:
            await self._images.tag(image.id, tag.familiar)
            report.say(Progress(stream=f"Successfully tagged {tag.familiar}\n"))


@contextmanager
def _shown(name: str, text: bytes, report: Report) -> Iterator[None]:
    """Where something goes wrong in the Dockerfile, its lines are shown before the error is told."""
    try:
        yield
    except MobyError as error:
        if error.line:
            report.say(Progress(stream=excerpt(name, text, error.line)))
        raise


def _references(tags: list[str]) -> list[Reference]:
    found = [parse(tag).tagged() for tag in tags]
    for reference in found:
        if reference.digest:
            raise InvalidArgument(f"invalid tag {reference.familiar!r}: a digest cannot be chosen")
    return list(dict.fromkeys(found))


def _variables(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if not _VARIABLE.fullmatch(name):
            raise InvalidArgument(f"invalid build argument {name[:80]!r}: write name=value")
    return values
