"""One build, from its sources to its results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.resources.builder import entitlements, requests
from moby_tui.engine.resources.builder.checks.finding import Finding, counted, shown
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.graph import travelling
from moby_tui.engine.resources.builder.graph.cache import BuildCache
from moby_tui.engine.resources.builder.graph.caches import import_caches
from moby_tui.engine.resources.builder.graph.dispatch import Build
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import BuiltImage, at_most
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.results.results import Result, Results
from moby_tui.engine.resources.builder.sources import named
from moby_tui.engine.resources.builder.sources.bases import Bases
from moby_tui.engine.resources.builder.sources.context import KEEP_GIT_DIR, Context, Sources
from moby_tui.engine.resources.dockerfile.parser import excerpt
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.resources.images.transfer.load import Loader
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema import oci
from moby_tui.schema.build import UPLOADED_CACHE, UPLOADED_LAYOUT, BuildOptions
from moby_tui.schema.image import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moby_tui.engine.resources.builder.step import StepRunner


class Job:
    """``folder`` is claimed in staging for as long as the build lasts."""

    def __init__(
        self,
        paths: Paths,
        images: ImageManager,
        rows: ImageRows,
        content: ContentStore,
        layers: LayerStore,
        steps: StepRunner,
        options: BuildOptions,
        report: Report,
        folder: Path,
    ) -> None:
        self._paths = paths
        self._images = images
        self._rows = rows
        self._content = content
        self._layers = layers
        self._steps = steps
        self._options = options
        self._report = report
        self._folder = folder
        self._epoch = requests.epoch(options)
        self._layering = Layering(layers, content, paths.staging, latest=self._epoch)
        self._narration = Narration(report, count(1), live=options.live)
        self._bases = Bases(images, content, options.auths, pull=options.pull)
        self._results = Results(paths, images, rows, content, self._layering, options, self._bases.auth, self._narration)

    async def run(
        self, sent: AsyncIterator[bytes] | None, uploads: Mapping[str, AsyncIterator[bytes]], stack: AsyncExitStack
    ) -> None:
        """Builds each platform and registers the images; ``outputs`` then yields what goes to the caller."""
        options = self._options
        sources = Sources(
            self._folder,
            stack,
            options.secrets,
            options.ssh.get("default", []),
            self._paths.exec_root / "build",
            keep_git_dir=options.build_args.get(KEEP_GIT_DIR, "") in ("1", "true"),
        )
        if options.cache_from or any(kind.startswith((UPLOADED_CACHE, UPLOADED_LAYOUT)) for kind in options.contexts.values()):
            await self._images.admit_archive()
        with self._narration.step("[internal] load build context"):
            context = await self._context(sent, sources)
            found = await named.gather(
                options.contexts, uploads, sources, Loader(self._content, self._layers, self._paths.staging)
            )
        text = context.dockerfile(options.dockerfile) if options.dockerfile_text is None else options.dockerfile_text
        with self._with_excerpt(text):
            build = Build(text, options)
        ignore = context.ignore(options.dockerfile, options.ignore_text)
        findings = build.findings(lambda name: self._environment(name, found), ignore)
        if options.check or (findings and build.checks.error):
            self._tell_checks(findings, text)
            return
        await in_thread(context.leave_out_ignored, options.dockerfile, options.ignore_text)
        cache = BuildCache(self._paths.build_steps, self._layers, self._content)
        cache.others = await import_caches(
            options.cache_from,
            found.archives,
            cache.is_whole,
            (self._images, self._content, self._layers, self._paths.staging),
            self._bases.auth,
            self._narration,
        )
        for text_of in options.platforms or [""]:
            shop = self._workshop(context, found, cache, build.dockerfile.escape, platforms.parse(text_of))
            with self._with_excerpt(text):
                image = await Build(text, options).run(shop)
            if not image.id:
                raise InvalidArgument("No image was generated. Is your Dockerfile empty?")
            self._results.add(await self._published(image, cache))
        # the checks know more after a base image was pulled
        if findings := build.findings(lambda name: self._environment(name, found), ignore):
            self._narration.say(Progress(stream=shown(findings, options.dockerfile, text)))
        with self._narration.step("exporting"):
            await self._results.keep(cache.trail)

    def outputs(self) -> AsyncGenerator[Progress, None]:
        return self._results.outputs()

    async def _context(self, sent: AsyncIterator[bytes] | None, sources: Sources) -> Context:
        if self._options.remote:
            return await sources.fetched(self._options.remote)
        if sent is None:
            raise InvalidArgument("a build needs a context: send one, or name where it is fetched from")
        return await sources.sent(sent)

    def _workshop(
        self, context: Context, found: named.NamedContexts, cache: BuildCache, escape: str, platform: oci.Platform
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
            private=self._paths.exec_root / "build",
            caches=self._paths.build_mounts,
            secrets=self._options.secrets,
            ssh=self._options.ssh,
            allowed=entitlements.read(self._options.allow),
            anew=self._options.no_cache,
            debug=self._options.debug,
            epoch=self._epoch,
        )

    async def _published(self, image: BuiltImage, cache: BuildCache) -> Result:
        """The image as it is published: with its times, and its labels and annotations."""
        if self._epoch is not None:
            image = at_most(image, self._epoch)
        annotations = dict(self._options.annotations)
        if requests.tells_its_steps(self._options):
            annotations |= travelling.annotation(travelling.of_image(cache.trail, image))
        known = self._rows.get(image.id)
        if known is not None and not annotations:
            # an image that a registry may have keeps its digest
            return Result(image, known)
        return Result(image, await in_thread(self._layering.record, image, annotations))

    def _environment(self, name: str, found: named.NamedContexts) -> set[str] | None:
        """The variables of a local image."""
        if found.find(name):
            return None
        try:
            config = self._images.resolve(name).config.config
        except MobyError:
            return None
        return {entry.partition("=")[0] for entry in (config and config.env) or ()}

    def _tell_checks(self, findings: list[Finding], text: bytes) -> None:
        """Reports the findings of the checks. Raises ``MobyError`` if there are any and the directive says so."""
        if not findings:
            self._narration.say(Progress(stream="Check complete, no warnings found.\n"))
            return
        self._narration.say(Progress(stream=shown(findings, self._options.dockerfile, text)))
        rules = ", ".join(sorted({finding.rule for finding in findings}))
        raise MobyError(f"check complete, {counted(findings)} found: lint violation found for rules: {rules}")

    @contextmanager
    def _with_excerpt(self, text: bytes) -> Iterator[None]:
        """For an error in the Dockerfile, reports the lines around it first."""
        try:
            yield
        except MobyError as error:
            if error.line:
                self._report.say(Progress(stream=excerpt(self._options.dockerfile, text, error.line)))
            raise
