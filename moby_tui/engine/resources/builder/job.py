"""One build, from its sources to its results."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from moby_tui.engine.resources.builder import entitlements, requests
from moby_tui.engine.resources.builder.checks.finding import Finding, counted, shown
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.execution.supplies import Supplies
from moby_tui.engine.resources.builder.graph import lookups, sandbox, scanning, travelling
from moby_tui.engine.resources.builder.graph.cache import BuildCache
from moby_tui.engine.resources.builder.graph.caches import import_caches
from moby_tui.engine.resources.builder.graph.dispatch import Build
from moby_tui.engine.resources.builder.graph.histories import Histories
from moby_tui.engine.resources.builder.graph.origins import Origins
from moby_tui.engine.resources.builder.graph.vertexes import Vertexes
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import BuiltImage, at_most, configured, stored, told_by_buildkit
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.results.export import Result
from moby_tui.engine.resources.builder.results.provenance import Story
from moby_tui.engine.resources.builder.results.results import Results
from moby_tui.engine.resources.builder.sources import named
from moby_tui.engine.resources.builder.sources.bases import Bases
from moby_tui.engine.resources.builder.sources.context import KEEP_GIT_DIR, Context, Sources
from moby_tui.engine.resources.builder.stores import Stores
from moby_tui.engine.resources.dockerfile.parser import check_experimental, excerpt
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.resources.images.transfer.load import Archive, Loader
from moby_tui.engine.tasks import Once, in_thread
from moby_tui.errors import InvalidArgument, MobyError, NotFound, OtherFrontend
from moby_tui.patterns import Ignore
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import STORED, UPLOADED_CACHE, UPLOADED_LAYOUT, BuildOptions, Caller, Examined, Warned
from moby_tui.schema.image import BuildFault, BuildPlan, PlannedStage, Progress
from moby_tui.schema.operations import Assembly, Graph, Lookup, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moby_tui.engine.resources.builder.step import StepRunner


T = TypeVar("T")


@dataclass(frozen=True)
class Files:
    """What a build begins with."""

    dockerfile: bytes
    ignore: Once[Ignore | None]
    context: Once[Context]


class Job:
    """``folder`` is claimed in staging for as long as the build lasts."""

    def __init__(
        self,
        stores: Stores,
        steps: StepRunner,
        options: BuildOptions,
        report: Report,
        folder: Path,
        caller: Caller | None = None,
    ) -> None:
        self._stores = stores
        self._steps = steps
        self._options = options
        self._report = report
        self._folder = folder
        self._epoch = requests.epoch(options)
        self._layering = Layering(stores.layers, stores.content, stores.paths.staging, latest=self._epoch)
        self._narration = Narration(report, count(1), live=options.live)
        self._caller = caller
        self._planned = False
        self._began = datetime.now(UTC)
        #: the paths of the caller's context that are asked for; None for all
        self._paths_taken: list[str] | None = None
        self._private = stores.paths.exec_root / "build"
        self._supplies = Supplies(options, caller, self._private)
        self._bases = Bases(stores.images, stores.content, self._supplies, pull=options.pull)
        self._results = Results(stores, self._layering, options, self._supplies.login, self._bases.blobs, self._narration)

    async def run(
        self, sent: AsyncIterator[bytes] | None, uploads: Mapping[str, AsyncIterator[bytes]], stack: AsyncExitStack
    ) -> None:
        """Builds each platform and registers the images; ``outputs`` then yields what goes to the caller."""
        options = self._options
        sources = self._sources(stack)
        if (task := options.graph or options.task) is not None:
            await self._run_task(task, sources)
            return
        archives = (UPLOADED_CACHE, UPLOADED_LAYOUT, STORED)
        if (
            (options.cache_from and not options.classic)
            or options.cache_stores
            or any(kind.startswith(archives) for kind in options.contexts.values())
        ):
            await self._stores.images.admit_archive()
        files = await self._files(sent, sources)
        text = files.dockerfile
        # what is uploaded comes before an answer; what a caller has is asked for once the Dockerfile can be read
        contexts = None if self._caller else await self._named(self._options.contexts, uploads, sources)
        try:
            build = self._read(text)
        except MobyError as error:
            if not options.check or self._caller is None or isinstance(error, OtherFrontend):
                raise
            self._caller.tell(Examined(options.dockerfile, text, [], [], None, error))
            return
        requests.check_scan(options, text)
        self._paths_taken = build.context_paths(self._has_triggers)
        ignore = await files.ignore()
        contexts = contexts or await self._named(build.used(self._options.contexts, self._has_triggers), uploads, sources)
        findings = build.findings(lambda name: self._environment(name, contexts), ignore)
        if options.check and self._caller:
            warned = list(self._warned(findings, build, text))
            self._caller.tell(Examined(options.dockerfile, text, warned, build.targets(), build.outline()))
            return
        if self._caller:
            for each in self._warned(findings, build, text):
                self._caller.warn(each)
        if options.check or (findings and build.checks.error):
            self._tell_checks(findings, text)
            return
        cache = await self._cache(sources, contexts.archives)
        for text_of in options.platforms or [""]:
            platform = platforms.parse(text_of)
            shop = self._workshop(files.context, contexts.of(platform), cache, build.dockerfile.escape, platform)
            with self._with_excerpt(text):
                image = await Build(text, options).run(shop)
            if not image.id and self._caller is None:
                raise InvalidArgument("No image was generated. Is your Dockerfile empty?")
            if not image.id:
                # BuildKit's clients get an image without layers
                image = msgspec.structs.replace(image, id=digest_of(encode(image.config)))
            self._results.add(await self._published(image, cache))
        # the checks know more after a base image was pulled
        findings = [] if options.classic else build.findings(lambda name: self._environment(name, contexts), ignore)
        if findings:
            self._narration.say(Progress(stream=shown(findings, options.dockerfile, text)))
        story = self._story(build, text)
        self._results.attest(story)
        if self._caller:
            self._results.tell_provenance(self._caller, story)
            await self._caller.made(self._results.made())
        await self._hand_over(cache)

    def _read(self, text: bytes) -> Build:
        """The build of a Dockerfile, whose plan is reported. Raises ``InvalidArgument``."""
        with self._with_excerpt(text):
            build = Build(text, self._options)
            if self._caller:
                check_experimental(build.dockerfile)
            self._tell_plan(text, build.plan)
        return build

    async def _run_graph(self, graph: Graph, shop: Workshop, sources: Sources) -> None:
        """Carries out a graph of operations and registers what it makes, with the configuration that the caller gives it."""
        cache = shop.cache
        loader = Loader(self._stores.content, self._stores.layers, self._stores.paths.staging)
        origins = Origins(sources, loader, self._stores.content)
        image = await Vertexes(graph, shop, origins, self._report, self._caller).run()
        self._results.add(await self._published(configured(image, None), cache))
        if self._caller and (config := await self._caller.made(self._results.made())):
            self._results.replace(await self._published(configured(image, config), cache))
        await self._hand_over(cache)

    async def _run_task(self, task: Graph | Lookup | Assembly | Sandbox, sources: Sources) -> None:
        """What is asked for in place of a Dockerfile."""
        cache = await self._cache(sources, [])
        shop = self._plain_workshop(cache)
        if isinstance(task, Graph):
            await self._run_graph(task, shop, sources)
            return
        caller = self._caller
        if caller is None:
            raise InvalidArgument("this is for a caller in the process of the engine")
        match task:
            case Lookup():
                await lookups.carry_out(task, shop, self._stores.content, caller)
            case Sandbox():
                await sandbox.carry_out(task, shop, self._stores.content, caller)
            case Assembly():
                for part in task.parts:
                    image = named.part(part, self._stores.content)
                    await self._results.take(await self._published(image, cache), part.attested)
                await caller.made(self._results.made())
                await self._hand_over(cache)

    async def _hand_over(self, cache: BuildCache) -> None:
        if asked := self._options.scan:
            shop = self._plain_workshop(cache)
            await self._results.scan(lambda image: scanning.scan(asked, image, shop))
        await self._results.keep(cache.trail, cache.names)
        if self._caller:
            await self._results.hand_over(self._caller)

    def _plain_workshop(self, cache: BuildCache) -> Workshop:
        """Of what is made without a Dockerfile and its context."""
        platform = platforms.parse((self._options.platforms or [""])[0])
        return self._workshop(Once(_no_context), named.NamedContexts({}), cache, "\\", platform)

    def _sources(self, stack: AsyncExitStack) -> Sources:
        return Sources(
            self._folder,
            stack,
            self._supplies,
            caller=self._caller,
            places=self._stores.paths.build_mounts,
            keep_git_dir=self._options.build_args.get(KEEP_GIT_DIR, "") in ("1", "true"),
        )

    async def _cache(self, sources: Sources, archives: list[Archive]) -> BuildCache:
        """This engine's cache, and those that the caller names. ``archives`` are those that have been sent."""
        options = self._options
        cache = BuildCache(self._stores.paths.build_steps, self._stores.layers, self._stores.content)
        cache.is_classic = options.classic
        if options.classic and options.cache_from:
            cache.histories = Histories(self._local(options.cache_from))
        imported = await import_caches(
            [] if options.classic else options.cache_from,
            archives,
            [(sources.layout(each.store), each) for each in options.cache_stores],
            cache.is_whole,
            (self._stores.images, self._stores.content, self._stores.layers, self._stores.paths.staging),
            self._supplies.login,
            self._narration,
        )
        cache.others = [each for opened in imported for each in opened.travelled]
        cache.listed = [each for opened in imported for each in opened.listed]
        cache.is_named = bool(cache.listed or options.cache_to or requests.tells_its_steps(options))
        return cache

    def _local(self, names: list[str]) -> Iterator[BuiltImage]:
        """Those of the images that are here."""
        for name in names:
            with suppress(NotFound, InvalidArgument):
                yield stored(self._stores.images.record(name), self._stores.content)

    def _story(self, build: Build, text: bytes) -> Story:
        outline = build.outline()
        return Story(
            self._options.id or os.urandom(16).hex(),
            text,
            self._began,
            self._bases.materials(),
            *([(each.name, not each.required) for each in given] for given in (outline.secrets, outline.agents)),
        )

    def outputs(self) -> AsyncGenerator[Progress, None]:
        return self._results.outputs()

    async def _files(self, sent: AsyncIterator[bytes] | None, sources: Sources) -> Files:
        """The Dockerfile, what is ignored, and the context: fetched now, or from the caller once a step needs it."""
        options = self._options
        text, ignore_text = options.dockerfile_text, options.ignore_text
        if options.dockerfile_folder:
            with self._narration.step(f"[internal] load build definition from {options.dockerfile}"):
                text, ignore_text = await self._definition(sources)
        if options.folder:
            ignore = Once(partial(self._sent_ignore, sources, ignore_text))
            return Files(text or b"", ignore, Once(partial(self._sent_folder, sources, ignore)))
        with self._narration.step(f"[internal] load {'remote ' if self._caller else ''}build context"):
            context = await self._context(sent, sources)
        if text is None:
            text = context.dockerfile(options.dockerfile)
        left_out = context.ignore(options.dockerfile, ignore_text)
        await in_thread(context.leave_out_ignored, options.dockerfile, ignore_text)
        return Files(text, Once(partial(_ready, left_out)), Once(partial(_ready, context)))

    async def _definition(self, sources: Sources) -> tuple[bytes, bytes | None]:
        """The Dockerfile and its own ignore file, from the caller's folder. Raises ``InvalidArgument``."""
        name = self._options.dockerfile
        wanted = [name, f"{name}.dockerignore", name.lower()]
        there, size = await sources.files(self._options.dockerfile_folder, wanted)
        self._narration.tell_bytes("transferring dockerfile:", size)
        if there.read(name) is None and name != "Dockerfile":
            raise InvalidArgument(f"failed to read dockerfile: open {name}: no such file or directory")
        if there.read(name) is None:
            name = name.lower()
            if there.read(name) is None:
                raise InvalidArgument("failed to read dockerfile: open Dockerfile: no such file or directory")
        return there.dockerfile(name), there.read(f"{self._options.dockerfile}.dockerignore")

    async def _named(
        self, wanted: Mapping[str, str], uploads: Mapping[str, AsyncIterator[bytes]], sources: Sources
    ) -> named.NamedContexts:
        loader = Loader(self._stores.content, self._stores.layers, self._stores.paths.staging)
        return await named.gather(wanted, uploads, sources, loader, self._stores.content, self._narration)

    async def _sent_ignore(self, sources: Sources, text: bytes | None) -> Ignore | None:
        """What ``text``, the Dockerfile's own ignore file, names, or the file in the caller's context."""
        if text is not None:
            return Ignore(text.decode("utf-8", "surrogateescape"))
        with self._narration.step("[internal] load .dockerignore"):
            there, size = await sources.files(self._options.folder, [".dockerignore"])
            self._narration.tell_bytes("transferring context:", size)
        return there.ignore()

    async def _sent_folder(self, sources: Sources, ignore: Once[Ignore | None]) -> Context:
        narration = self._narration.of(self._report)
        with narration.step("[internal] load build context"):
            context, size = await sources.folder(self._options.folder, await ignore(), self._paths_taken or ())
            narration.tell_bytes("transferring context:", size)
        return context

    async def _context(self, sent: AsyncIterator[bytes] | None, sources: Sources) -> Context:
        if self._options.remote:
            return await sources.fetched(self._options.remote)
        if sent is None:
            raise InvalidArgument("a build needs a context: send one, or name where it is fetched from")
        return await sources.sent(sent, "\0".join((self._options.dockerfile, self._options.target, *self._options.tags)))

    def _workshop(
        self, context: Once[Context], found: named.NamedContexts, cache: BuildCache, escape: str, platform: oci.Platform
    ) -> Workshop:
        return Workshop(
            context=context,
            named=found,
            bases=self._bases,
            layering=self._layering,
            cache=cache,
            steps=self._steps,
            report=self._narration,
            platform=platform,
            asked=bool(self._options.platforms),
            slots=asyncio.Semaphore(requests.jobs(self._options)),
            host=self._options.host,
            escape=escape,
            scratch=self._folder,
            private=self._private,
            caches=self._stores.paths.build_mounts,
            supplies=self._supplies,
            allowed=entitlements.read(self._options.allow),
            anew=self._options.no_cache,
            debug=self._options.debug,
            classic=self._options.classic,
            kept=self._options.kept,
            store=self._store,
            epoch=self._epoch,
        )

    async def _store(self, image: BuiltImage) -> None:
        """Stores the image of a step whose container stays, without a name."""
        if self._stores.rows.get(image.id) is None:
            self._stores.rows.put(await in_thread(self._layering.record, image), [])

    async def _published(self, image: BuiltImage, cache: BuildCache) -> Result:
        """The image as it is published: with its times, and its labels and annotations."""
        if self._caller is not None:
            image = told_by_buildkit(image)
        if self._epoch is not None:
            image = at_most(image, self._epoch)
        annotations = dict(self._options.annotations)
        if requests.tells_its_steps(self._options):
            steps = travelling.of_image(cache.trail, image)
            annotations |= travelling.annotation(steps)
            image = travelling.with_steps(image, steps, cache.names)
        known = self._stores.rows.get(image.id)
        if known is not None and not annotations:
            # an image that a registry may have keeps its digest
            return Result(image, known)
        return Result(image, await in_thread(self._layering.record, image, annotations))

    def _environment(self, name: str, found: named.NamedContexts) -> set[str] | None:
        """The variables of a local image."""
        if found.find(name):
            return None
        try:
            config = self._stores.images.resolve(name).config.config
        except MobyError:
            return None
        return {entry.partition("=")[0] for entry in (config and config.env) or ()}

    def _warned(self, findings: list[Finding], build: Build, text: bytes) -> Iterator[Warned]:
        """The findings as a caller is told of them."""
        ends = {instruction.line: instruction.end for instruction in build.dockerfile.instructions}
        for finding in findings:
            lines = finding.line, ends.get(finding.line, finding.line)
            yield Warned(finding.rule, finding.text, finding.description, finding.address, lines, self._options.dockerfile, text)

    def _has_triggers(self, name: str) -> bool:
        """True for an image whose ONBUILD instructions may take any file, and for one that is not here yet."""
        try:
            config = self._stores.images.resolve(name).config.config
        except MobyError:
            return True
        return self._options.pull or bool(config and config.on_build)

    def _tell_checks(self, findings: list[Finding], text: bytes) -> None:
        """Reports the findings of the checks. Raises ``MobyError`` if there are any and the directive says so."""
        if not findings:
            self._narration.say(Progress(stream="Check complete, no warnings found.\n"))
            return
        self._narration.say(Progress(stream=shown(findings, self._options.dockerfile, text)))
        rules = ", ".join(sorted({finding.rule for finding in findings}))
        error = MobyError(f"check complete, {counted(findings)} found: lint violation found for rules: {rules}")
        error.buildkit = f"lint violation found for rules: {rules}"
        raise error

    @contextmanager
    def _with_excerpt(self, text: bytes) -> Iterator[None]:
        """For an error in the Dockerfile, reports the lines around it first."""
        try:
            yield
        except MobyError as error:
            if error.line and self._caller:
                error.dockerfile = self._options.dockerfile, text
            elif error.line and not self._options.classic:
                self._tell_plan(text, list)
                fault = BuildFault((error.line, error.end or error.line)) if self._options.live else None
                self._report.say(Progress(stream=excerpt(self._options.dockerfile, text, error.line), fault=fault))
            raise

    def _tell_plan(self, text: bytes, stages: Callable[[], list[PlannedStage]]) -> None:
        """In live progress, once: the Dockerfile and its stages. A ``Caller`` has the one, and asks for the other."""
        if self._options.live and self._caller is None and not self._planned:
            self._report.say(Progress(plan=BuildPlan(self._options.dockerfile, text, stages())))
            self._planned = True


async def _ready(value: T) -> T:
    return value


async def _no_context() -> Context:
    raise InvalidArgument("a graph of operations has no build context: its sources are in it")
