"""What the stages of one build share: stores, sources, cache, options, progress. Passed to each of them."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from moby_tui.engine.kernel.namespaces import copies
from moby_tui.engine.kernel.network.netns import on_own_thread
from moby_tui.engine.resources.builder.execution.digests import Digests
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.execution.supplies import Supplies
from moby_tui.engine.resources.builder.graph.cache import BuildCache
from moby_tui.engine.resources.builder.graph.stages import Stages
from moby_tui.engine.resources.builder.image import BuiltImage, Layer, scratch
from moby_tui.engine.resources.builder.llb import operations
from moby_tui.engine.resources.builder.llb.vertices import Names, Unknown
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.sources.bases import Bases
from moby_tui.engine.resources.builder.sources.context import Context
from moby_tui.engine.resources.builder.sources.named import NamedContexts
from moby_tui.engine.resources.builder.step import Ended, Step, StepRunner
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema import oci
from moby_tui.schema.container import HostConfig
from moby_tui.schema.image import Progress

_STDERR = 2
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"
Change = Callable[[oci.ImageConfig, oci.ExecutionConfig], None]
#: Makes BuildKit's names of a step from those of the step below. Raises ``Unknown``.
Naming = Callable[[Names], Awaitable[Names]]


def unchanged(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
    """The change of an instruction that changes files only: none of the configuration."""


@dataclass(frozen=True)
class Workshop:
    """Each stage has one; they share everything but ``report``, ``position`` and ``anew``."""

    #: waits for the context, which a caller may send only once a step needs it
    context: Callable[[], Awaitable[Context]]
    named: NamedContexts
    bases: Bases
    layering: Layering
    cache: BuildCache
    steps: StepRunner
    report: Narration
    #: the default platform; unless the caller ``asked`` for one, a local base image is used whatever its platform
    platform: oci.Platform
    asked: bool
    #: limits the RUN steps that run at the same time
    slots: asyncio.Semaphore
    host: HostConfig
    escape: str
    #: folders of the build: on disk, and for secrets in a tmpfs that only root reads
    scratch: Path
    private: Path
    #: the folders of ``RUN --mount=type=cache``
    caches: Path
    #: secrets, agents and logins of the caller
    supplies: Supplies
    #: the allowed ``entitlements``
    allowed: frozenset[str] = frozenset()
    #: carry out steps even if the cache has them
    anew: bool = False
    #: keep a failed step's container until the caller has looked at it
    debug: bool = False
    #: as dockerd's classic builder: what a step writes to standard error is red, and a volume cannot lie on a file
    classic: bool = False
    #: stores the image of such a container
    store: Callable[[BuiltImage], Awaitable[None]] | None = None
    #: the containers that stay after their steps: ``all``, ``failed`` or none
    kept: str = ""
    #: SOURCE_DATE_EPOCH, or None
    epoch: int | None = None
    #: the stages, and the index of this one
    stages: Stages | None = None
    position: int = 0

    def say(self, text: str) -> None:
        self.report.say(Progress(stream=text))

    def note(self, text: str) -> None:
        """Reports a line that only the classic builder has."""
        self.report.note(text)

    def output(self) -> Callable[[int, bytes], None]:
        """A function that reports a command's output; a character whose bytes come in two pieces is kept whole."""
        decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in (1, 2)}

        def tell(fd: int, data: bytes) -> None:
            if text := decoders[fd].decode(data):
                self.say(f"{_RED}{text}{_PLAIN}" if self.classic and fd == _STDERR else text)

        return tell

    async def stage(self, name: str) -> BuiltImage | None:
        """The image of an earlier stage, by its name or number."""
        return await self.stages.image(name, self.position) if self.stages is not None else None

    async def base(self, name: str, platform: oci.Platform | None = None) -> BuiltImage:
        """The image that FROM or ``COPY --from`` names: a named context, a stage, an image. Raises ``NotFound``, and the errors of a pull."""
        if name == "scratch":
            return self._with_inputs_in_key(scratch(platform or self.platform))
        named = self.named.find(name)
        if named is None:
            return await self.stage(name) or await self._image(name, platform)
        if named.tree is not None:
            raise InvalidArgument(
                f"build context {name[:80]!r} is files and no image: it can be copied from, and no stage built on it"
            )
        if named.image is not None:
            return self._with_inputs_in_key(named.image)
        return await self.stage(named.stage or name) or await self._image(named.stage or named.reference, platform)

    async def _image(self, name: str, platform: oci.Platform | None) -> BuiltImage:
        wanted = platform or (self.platform if self.asked else None)
        return self._with_inputs_in_key(await self.bases.get(name, wanted, self.report))

    def _with_inputs_in_key(self, image: BuiltImage) -> BuiltImage:
        """Adds to the image's key what else the steps on top of it depend on."""
        salt = [f"epoch {self.epoch}"] if self.epoch is not None else []
        salt += [f"network {self.host.network_mode}"] if self.host.network_mode not in ("", "default") else []
        salt += [f"host {host}" for host in self.host.extra_hosts or ()]
        salt += [f"limit {limit.name}={limit.soft}:{limit.hard}" for limit in self.host.ulimits or ()]
        salt += [f"shm {self.host.shm_size}"] if self.host.shm_size else []
        salt += [f"cgroup {self.host.cgroup_parent}"] if self.host.cgroup_parent else []
        made = msgspec.structs.replace(image, chain=" ".join((image.key, *salt))) if salt else image
        self.cache.names[made.key] = operations.image(image.config, self.bases.manifests(image))
        return made

    async def names(self, name: str) -> Names | None:
        """BuildKit's names of the image that ``source`` mounts, if they are known; None for files that are no image."""
        named = self.named.find(name)
        if not name or (named is not None and named.tree is not None):
            return None
        return self.cache.names.get((await self.base(name)).key, ())

    @asynccontextmanager
    async def source(self, name: str) -> AsyncIterator[int]:
        """The root of COPY's sources: the context, a named context, a stage by name or number, or an image."""
        named = self.named.find(name)
        if not name:
            yield (await self.context()).root
        elif named is not None and named.tree is not None:
            yield named.tree.root
        else:
            async with self.layering.mounted(await self.base(name)) as root:
                yield root

    async def digests(self, name: str) -> Digests:
        """The digests that are known of ``source``: none of a stage or image."""
        named = self.named.find(name)
        if not name:
            return (await self.context()).digests
        return named.tree.digests if named is not None and named.tree is not None else Digests()

    def keeps(self, exit_code: int) -> bool:
        """True if the container of a step that has ended so stays."""
        return self.kept == "all" or (self.kept == "failed" and exit_code != 0)

    @asynccontextmanager
    async def run(self, step: Step, *, began: Callable[[str], None]) -> AsyncIterator[Ended]:
        """Runs a step when the limit allows, and reports its output."""
        async with self.slots:
            step = replace(step, host=self.host)
            try:
                with _two_copies(step.trees if self.debug else {}) as (first, second):
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

    async def linked_layer(
        self, created_by: str, copy: Callable[[int], None], content: str, *, unpacks: bool = False
    ) -> Layer | None:
        """The layer of ``COPY --link``: made on top of nothing, and cached independently of the image below.

        ``unpacks``: as for ``Layering.change``.
        """

        async def produce() -> Layer | None:
            return await self.layering.change(nothing, copy, unpacks=unpacks)

        nothing = self._with_inputs_in_key(scratch(self.platform))
        # looked up in our cache only: this layer goes on top of local images, on which no imported layer may be
        own = replace(self, cache=self.cache.without_others())
        made = await own.advance(nothing, created_by, produce=produce, content=content)
        return Layer(made.config.rootfs.diff_ids[-1], made.blobs[-1]) if made.blobs else None

    async def advance(
        self,
        image: BuiltImage,
        created_by: str,
        change: Change = unchanged,
        produce: Callable[[], Awaitable[Layer | None]] | None = None,
        content: str = "",
        naming: Naming | None = None,
        told: str = "",
    ) -> BuiltImage:
        """The image after an instruction: from the cache, or made and stored there.

        ``naming``: of an instruction that changes files. ``told`` is its line of history in BuildKit's words.
        """
        key = self.cache.key(image.key, created_by, content)
        await self._name(image.key, key, naming)
        made = None if self.anew else await self.cache.find(key)
        if made is not None:
            self.report.cached()
            made = msgspec.structs.replace(made, chain=key)
        else:
            layers = None if self.anew else await self._found_elsewhere(key, image, created_by, has_names=produce is not None)
            layer = layers[0] if layers else await produce() if produce and layers is None else None
            made = image.followed_by(created_by, layer, change, chain=key)
            self.cache.put(key, made, image.key, is_borrowed=layers is not None)
        return msgspec.structs.replace(made, told=(*image.told, told or created_by))

    async def _name(self, below: str, key: str, naming: Naming | None) -> None:
        """Gives a step BuildKit's names, if caches in BuildKit's form are read or written."""
        names = self.cache.names.get(below) if self.cache.is_named else None
        if names is None:
            return
        try:
            if self.epoch is not None:
                raise Unknown("the build sets the times of files (SOURCE_DATE_EPOCH)")
            self.cache.names[key] = await naming(names) if naming else names
        except Unknown as error:
            self.say(f"no name in caches of BuildKit's, nor for the steps on top of it: {error}\n")

    async def _found_elsewhere(self, key: str, image: BuiltImage, created_by: str, *, has_names: bool) -> list[Layer] | None:
        """What a step adds to an image, by other images and by caches in BuildKit's form, which know the steps that change files only."""
        layers = self.cache.find_in_histories(created_by, image)
        names = self.cache.names.get(key) if has_names else None
        if layers is None and names:
            layers = await self.cache.find_layers(names, image)
        if layers is not None:
            self.report.cached()
        return layers


@contextmanager
def _two_copies(trees: Mapping[str, int]) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Two copies of each mount, for the step and for its debugger: a mount can be attached once only."""
    with ExitStack() as stack:
        first: dict[str, int] = {}
        second: dict[str, int] = {}
        for destination, tree in trees.items():
            pair = on_own_thread(partial(copies, tree))
            for copy in pair:
                stack.callback(os.close, copy)
            first[destination], second[destination] = pair
        yield first, second
