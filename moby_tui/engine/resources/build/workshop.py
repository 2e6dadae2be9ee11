"""What one build works with, handed around whole."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moby_tui.engine.resources.build.cache import BuildCache
from moby_tui.engine.resources.build.context import Context
from moby_tui.engine.resources.build.image import BuiltImage, Layer, scratch, stored
from moby_tui.engine.resources.build.layering import Layering
from moby_tui.engine.resources.build.stages import Stages, Tells
from moby_tui.engine.resources.build.step import StepRunner
from moby_tui.engine.resources.images.content import ContentStore
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.store.images import ImageRows
from moby_tui.errors import NotFound
from moby_tui.schema import oci
from moby_tui.schema.image import Progress

Change = Callable[[oci.ImageConfig, oci.ExecutionConfig], None]


def unchanged(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
    """The change of an instruction that alters files alone."""


@dataclass(frozen=True)
class Workshop:
    """One for each stage: they share all but ``report`` and ``position``."""

    context: Context
    images: ImageManager
    rows: ImageRows
    content: ContentStore
    layering: Layering
    cache: BuildCache
    steps: StepRunner
    report: Tells
    no_cache: bool
    escape: str
    #: what lasts as long as the build, and what nobody else may read, on the machine's memory
    scratch: Path
    private: Path
    #: the folders of ``RUN --mount=type=cache``
    caches: Path
    secrets: dict[str, bytes] = field(default_factory=dict)
    #: the agents and keys that are forwarded, by id, and what is granted (``entitlements``)
    ssh: dict[str, list[str]] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    #: the stages, and which of them this is the workshop of
    stages: Stages | None = None
    position: int = 0

    def say(self, text: str) -> None:
        self.report.say(Progress(stream=text))

    def output(self) -> Callable[[int, bytes], None]:
        """Something that tells what a command writes; a character that comes in two pieces is told whole."""
        decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in (1, 2)}

        def tell(fd: int, data: bytes) -> None:
            if text := decoders[fd].decode(data):
                self.say(text)

        return tell

    async def stage(self, name: str) -> BuiltImage | None:
        """What an earlier stage has made, by its name or number."""
        return await self.stages.image(name, self.position) if self.stages is not None else None

    async def image(self, name: str) -> BuiltImage:
        """An image of the store, pulled where it is not there. Raises ``NotFound`` and what else a pull can."""
        try:
            local = self.images.resolve(name)
        except NotFound:
            async for line in self.images.pull(name):
                self.report.say(line)
            local = self.images.resolve(name)
        record = self.rows.get(local.id)
        if record is None:
            raise NotFound(f"image {name} was removed while it was looked at; try again")
        return stored(record, self.content)

    @asynccontextmanager
    async def source(self, name: str) -> AsyncIterator[int]:
        """The root of what COPY takes from: the context, a stage by name or number, or an image."""
        if not name:
            yield self.context.root
            return
        image = await self.stage(name) or await self.image(name)
        async with self.layering.mounted(image) as root:
            yield root

    async def apart(self, created_by: str, copy: Callable[[int], None], content: str) -> Layer | None:
        """A layer that ``copy`` makes on top of nothing, remembered whatever it will lie on."""

        async def produce() -> Layer | None:
            return await self.layering.change(nothing, copy)

        nothing = scratch()
        made = await self.advance(nothing, created_by, produce=produce, content=content)
        return Layer(made.config.rootfs.diff_ids[-1], made.blobs[-1]) if made.blobs else None

    async def advance(
        self,
        image: BuiltImage,
        created_by: str,
        change: Change = unchanged,
        produce: Callable[[], Awaitable[Layer | None]] | None = None,
        content: str = "",
    ) -> BuiltImage:
        """The image that an instruction makes of this one: remembered, or made and then remembered."""
        key = self.cache.key(image.id, created_by, content)
        made = None if self.no_cache else self.cache.find(key)
        if made is not None:
            self.say(" ---> Using cache\n")
        else:
            layer = await produce() if produce else None
            made = image.followed_by(created_by, layer, change)
            self.cache.put(key, made)
        self.say(f" ---> {made.short}\n")
        return made
