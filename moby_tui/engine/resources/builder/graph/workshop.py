"""What one build works with, handed around whole."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from moby_tui.engine.kernel.namespaces import copies
from moby_tui.engine.kernel.network.netns import on_own_thread
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.graph.cache import BuildCache
from moby_tui.engine.resources.builder.graph.stages import Stages
from moby_tui.engine.resources.builder.image import BuiltImage, Layer, scratch
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.sources.bases import Bases
from moby_tui.engine.resources.builder.sources.context import Context
from moby_tui.engine.resources.builder.sources.named import NamedContexts
from moby_tui.engine.resources.builder.step import Ended, Step, StepRunner
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema import oci
from moby_tui.schema.container import HostConfig
from moby_tui.schema.image import Progress

Change = Callable[[oci.ImageConfig, oci.ExecutionConfig], None]


def unchanged(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
    """The change of an instruction that alters files alone."""


@dataclass(frozen=True)
class Workshop:
    """One for each stage: they share all but ``report``, ``position`` and ``anew``."""

    context: Context
    named: NamedContexts
    bases: Bases
    layering: Layering
    cache: BuildCache
    steps: StepRunner
    report: Narration
    #: what is built for, where nothing else is said; unless it was ``asked`` for, an image that is here is taken as it is
    platform: oci.Platform
    asked: bool
    #: RUN steps at a time
    slots: asyncio.Semaphore
    host: HostConfig
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
    #: what is found in the cache is made all the same
    anew: bool = False
    #: a step that fails is held until its caller has looked at it
    debug: bool = False
    #: SOURCE_DATE_EPOCH, or None
    epoch: int | None = None
    #: the stages, and which of them this is the workshop of
    stages: Stages | None = None
    position: int = 0

    def say(self, text: str) -> None:
        self.report.say(Progress(stream=text))

    def note(self, text: str) -> None:
        """What only the classic builder says."""
        self.report.note(text)

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

    async def base(self, name: str, platform: oci.Platform | None = None) -> BuiltImage:
        """What FROM, or COPY --from, names: a named context, a stage, an image. Raises ``NotFound`` and what else a pull can."""
        if name == "scratch":
            return self._salted(scratch(platform or self.platform))
        named = self.named.find(name)
        if named is None:
            return await self.stage(name) or await self._image(name, platform)
        if named.tree is not None:
            raise InvalidArgument(
                f"build context {name[:80]!r} is files and no image: it can be copied from, and no stage built on it"
            )
        if named.image is not None:
            return self._salted(named.image)
        return await self.stage(named.stage or name) or await self._image(named.stage or named.reference, platform)

    async def _image(self, name: str, platform: oci.Platform | None) -> BuiltImage:
        wanted = platform or (self.platform if self.asked else None)
        return self._salted(await self.bases.get(name, wanted, self.report))

    def _salted(self, image: BuiltImage) -> BuiltImage:
        """What else the steps on top of it depend on is in their keys."""
        salt = [f"epoch {self.epoch}"] if self.epoch is not None else []
        salt += [f"network {self.host.network_mode}"] if self.host.network_mode not in ("", "default") else []
        salt += [f"host {host}" for host in self.host.extra_hosts or ()]
        return msgspec.structs.replace(image, chain=" ".join((image.key, *salt))) if salt else image

    @asynccontextmanager
    async def source(self, name: str) -> AsyncIterator[int]:
        """The root of what COPY takes from: the context, a named one, a stage by name or number, or an image."""
        named = self.named.find(name)
        if not name:
            yield self.context.root
        elif named is not None and named.tree is not None:
            yield named.tree.root
        else:
            async with self.layering.mounted(await self.base(name)) as root:
                yield root

    @asynccontextmanager
    async def run(self, step: Step, *, began: Callable[[str], None]) -> AsyncIterator[Ended]:
        """Runs a step when it is its turn, and tells what it writes."""
        async with self.slots:
            step = replace(step, host=self.host)
            try:
                with _twice(step.trees if self.debug else {}) as (first, second):
                    step = replace(step, trees={**step.trees, **first})
                    async with self.steps.run(step, began=began, output=self.output()) as ended:
                        if ended.exit_code and self.debug:
                            held = replace(step, trees=second)
                            await self.steps.hold(held, ended, lambda ident: self.report.say(Progress(aux={"Debug": ident})))
                        yield ended
            except MobyError as error:
                foreign = step.image.config.architecture
                if "exec format error" in error.message.lower():
                    raise MobyError(
                        f"a RUN step for {step.image.config.os}/{foreign} cannot run on this machine: "
                        f"register an emulator for it (binfmt_misc, as qemu-user-static does), or build there"
                    ) from error
                raise

    async def apart(self, created_by: str, copy: Callable[[int], None], content: str) -> Layer | None:
        """A layer that ``copy`` makes on top of nothing, remembered whatever it will lie on."""

        async def produce() -> Layer | None:
            return await self.layering.change(nothing, copy)

        nothing = self._salted(scratch(self.platform))
        # it is put on images that are this machine's own: nobody else's layer may get there
        own = replace(self, cache=self.cache.alone())
        made = await own.advance(nothing, created_by, produce=produce, content=content)
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
        key = self.cache.key(image.key, created_by, content)
        made = None if self.anew else await self.cache.find(key)
        if made is not None:
            self.report.cached()
            made = msgspec.structs.replace(made, chain=key)
        else:
            layer = await produce() if produce else None
            made = image.followed_by(created_by, layer, change, chain=key)
            self.cache.put(key, made, image.key)
        self.note(f" ---> {made.short}\n")
        return made


@contextmanager
def _twice(trees: Mapping[str, int]) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Each mount for a step, and once more for whoever looks at what it has left: a mount can be put in one place only."""
    with ExitStack() as stack:
        first: dict[str, int] = {}
        second: dict[str, int] = {}
        for destination, tree in trees.items():
            pair = on_own_thread(partial(copies, tree))
            for copy in pair:
                stack.callback(os.close, copy)
            first[destination], second[destination] = pair
        yield first, second
