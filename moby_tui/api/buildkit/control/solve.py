"""One build of a client: what it asks for, the frontend's builds in it, its result and its progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.control import attributes, caching, definition, exporters, failures, sources, subrequests, workers
from moby_tui.api.buildkit.control.bridge import frontend, results
from moby_tui.api.buildkit.control.bridge.director import Asked, Director
from moby_tui.api.buildkit.control.bridge.results import Result
from moby_tui.api.buildkit.control.held import HeldBuild
from moby_tui.api.buildkit.control.progress import Log, Reporter
from moby_tui.api.buildkit.session.sessions import Sessions
from moby_tui.api.buildkit.wire.control_pb2 import SolveRequest, VertexWarning
from moby_tui.api.buildkit.wire.gateway_pb2 import WarnRequest
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.api.client.protocol import Client
from moby_tui.engine.resources.dockerfile.syntax import is_our_frontend
from moby_tui.errors import InvalidArgument, MobyError, NotFound, NotImplementedYet, OtherFrontend
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import BuildOptions, Made, StepContainer
from moby_tui.schema.operations import Assembly, Lookup, Part, Sandbox

#: Metadata of a result that the client is told.
_TOLD = "frontend."


class Solve:
    """``ref`` is the client's name for it. ``begun`` and ``ended`` are Unix seconds; ``error`` is its failure."""

    def __init__(
        self,
        client: Client,
        sessions: Sessions,
        request: SolveRequest,
        context: AsyncIterator[bytes] | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """``context`` is an archive that does not come in the session; ``limits`` are fields of ``HostConfig`` for the RUN steps."""
        self.ref = request.Ref
        self.request = request
        self.log = Log()
        self.reporter = Reporter(self.log, self.ref)
        self.begun, self.ended = time.time(), 0.0
        self.error: GRPCError | None = None
        #: the client wants its record kept
        self.pinned = False
        self.response: dict[str, str] = {}
        #: the provenance of each image that was exported
        self.provenance: list[tuple[oci.Platform, bytes]] = []
        #: attributes of the frontend's build, for the build's record
        self.attributes: dict[str, str] = dict(request.FrontendAttrs)
        #: the context, if it does not come in the session
        self.context = context
        self._limits = limits or {}
        self._client = client
        self._sessions = sessions
        self._builds: dict[str, HeldBuild] = {}
        #: that of the image, for a graph of operations
        self._config: oci.ImageConfig | None = None
        #: the client, if it directs the build over the bridge
        self.director = Director(self, request.FrontendInputs)

    async def run(self) -> dict[str, str]:
        """The exporters' answer. Raises ``GRPCError``."""
        try:
            self.response = await self._run()
        except MobyError as error:
            self.error = failures.of_build(error, self.reporter.failed)
            raise self.error from error
        except GRPCError as error:
            self.error = error
            raise
        except asyncio.CancelledError:
            # in BuildKit's words, by which its clients know such a build
            self.error = GRPCError(Status.CANCELLED, "context canceled")
            raise
        finally:
            await self.director.close()
            for build in self._builds.values():
                await build.close()
            self.ended = time.time()
            await self.log.close()
        return self.response

    async def _run(self) -> dict[str, str]:
        request = self.request
        has_graph = bool(getattr(request.Definition, "def"))
        if has_graph and request.Frontend:
            raise InvalidArgument("cannot solve with both Definition and Frontend specified")
        if has_graph:
            result = await self.solve_graph(request.Definition, ())
        elif request.Frontend:
            result = await self.solve(Asked(request.Frontend, request.FrontendAttrs, request.FrontendInputs), 0)
        else:
            # the client directs the build over the bridge
            result = await self.director.returned
        told = {name: value.decode("utf-8", "replace") for name, value in result.metadata.items() if name.startswith(_TOLD)}
        return await self._export(result) | told

    # The bridge's ``Solver``

    async def solve(self, asked: Asked, depth: int) -> Result:
        """Raises ``MobyError`` for what this engine does not do, and the errors of the build."""
        if asked.frontend not in attributes.FRONTENDS:
            raise NotImplementedYet(f"the frontend {asked.frontend[:80]!r}")
        source = asked.attributes.get(frontend.SOURCE, "")
        if asked.frontend == frontend.GATEWAY and not source:
            raise InvalidArgument("no source specified for gateway")
        if asked.frontend == frontend.GATEWAY and not is_our_frontend(source):
            return await self._gateway(asked, depth)
        try:
            return await self._of_dockerfile(asked)
        except OtherFrontend as error:
            chosen = {**asked.attributes, frontend.SOURCE: error.image, "cmdline": error.command_line}
            if "frontend.caps" in chosen:
                # what the first of several frontends is to hand on counts for the next no more
                chosen["frontend.caps"] = chosen["frontend.caps"].replace("+forward", "")
            return await self._gateway(asked._replace(attributes=chosen), depth)

    async def _gateway(self, asked: Asked, depth: int) -> Result:
        """The result of a frontend that is an image."""
        if depth >= frontend.DEEPEST:
            raise InvalidArgument(f"more than {frontend.DEEPEST} frontends have asked each other for a build")
        self.attributes |= asked.attributes
        worker = await workers.record(self._client)
        return await frontend.Frontend(self, asked, self.request.Session, worker, depth + 1).run()

    async def _of_dockerfile(self, asked: Asked) -> Result:
        question = asked.attributes.get("requestid", "")
        build = await self._begin_dockerfile(asked)
        if question:
            return Result({}, subrequests.answer(question, await build.examined()))
        return results.of_images(build.id, await build.images())

    async def _begin_dockerfile(self, asked: Asked) -> HeldBuild:
        inputs = {name: await self._one_source(graph) for name, graph in asked.inputs.items()}
        try:
            options = attributes.read(asked.attributes, inputs)
        except NotImplementedYet:
            # an option that this frontend lacks may be one of the frontend that the Dockerfile names
            probe = attributes.read(attributes.known(asked.attributes), inputs)
            probe.check = True
            await (await self._begin(probe, attributes.upload(asked.attributes))).examined()
            raise
        exporters.read(self.request, options)
        caching.read(asked.attributes, self.request.Cache, asked.caches, options)
        options.check = bool(asked.attributes.get("requestid"))
        options.allow = list(self.request.Entitlements)
        options.host = msgspec.structs.replace(options.host, **self._limits)
        self.attributes |= asked.attributes
        return await self._begin(options, attributes.upload(asked.attributes))

    async def _one_source(self, graph: Definition) -> Definition:
        """Returns a graph that is one source: ``graph`` itself, or that of the image that ``graph`` makes, which is made now."""
        if sources.is_source(graph):
            return graph
        result = await self.solve_graph(graph, ())
        return sources.result(result.definitions[result.refs[""]])

    async def solve_graph(self, graph: Definition, caches: Sequence[Message]) -> Result:
        """Raises ``MobyError`` for a graph that is damaged or has what this engine lacks."""
        for name, value in self.request.FrontendAttrs.items():
            attributes.check_of_graph(name, value)
        options = BuildOptions(live=True, graph=definition.read(graph), scan=attributes.scan(self.request.FrontendAttrs))
        self._config = exporters.read(self.request, options)
        caching.read({}, self.request.Cache, caches, options)
        options.allow = list(self.request.Entitlements)
        build = await self._begin(options, "")
        return results.of_images(build.id, await build.images(), has_configs=False)

    async def look_up(self, lookup: Lookup) -> tuple[str, bytes]:
        build = await self._begin(BuildOptions(live=True, task=lookup, pull=lookup.pull), "")
        await build.carried_out()
        return build.supplier.found

    async def occupy(self, sandbox: Sandbox, use: Callable[[StepContainer], Awaitable[None]]) -> None:
        options = BuildOptions(live=True, task=sandbox, allow=list(self.request.Entitlements))
        build = await self._begin(options, "", use)
        try:
            await build.carried_out()
        finally:
            await build.close()

    async def made(self, ref: str) -> Made:
        """The image with this id, of one of the builds. Raises ``NotFound``, and the error of its build."""
        ident, _, number = ref.partition("/")
        if ident not in self._builds:
            raise NotFound(f"no such result: {ref[:80]}")
        images = await self._builds[ident].images()
        if number and not (number.isdecimal() and int(number) < len(images)):
            raise NotFound(f"no such result: {ref[:80]}")
        return images[int(number or 0)]

    async def warn(self, warning: WarnRequest) -> None:
        fields = {name: getattr(warning, name) for name in ("level", "short", "detail", "url", "ranges")}
        message = VertexWarning(vertex=warning.digest, **fields)
        if warning.HasField("info"):
            message.info.CopyFrom(warning.info)
        await self.reporter.pass_on(message)

    def failed(self) -> str:
        return self.reporter.failed

    def failure(self) -> GRPCError | None:
        failed = (build.failure for build in self._builds.values() if build.failure is not None)
        error = next(failed, None)
        return failures.of_build(error, self.reporter.failed) if error else None

    async def _begin(
        self, options: BuildOptions, upload: str, use: Callable[[StepContainer], Awaitable[None]] | None = None
    ) -> HeldBuild:
        session = await self._sessions.get(self.request.Session)
        build = HeldBuild(self.request, self.reporter, session, options)
        build.supplier.user = use
        self._builds[build.id] = build
        sent = self.context
        build.begin(self._client, session.upload(upload) if sent is None and upload else sent)
        return build

    async def _export(self, result: Result) -> dict[str, str]:
        """The exporters' answer. Raises ``InvalidArgument`` for a result that does not hang together, and what an export raises."""
        images = result.images()
        idents = {ref.partition("/")[0] for _, ref, _ in images}
        if not any(idents):
            return {}
        whole = self._builds[min(idents)] if len(idents) == 1 else None
        if whole is not None and not result.attestations and (whole.has_graph or await self._is_whole(whole, images)):
            config = images[0][2]
            answer = await whole.export(exporters.config(config) if config else self._config)
            self.provenance = whole.supplier.provenance
            return answer
        return await self._export_together(result)

    async def _is_whole(self, build: HeldBuild, images: Sequence[tuple[str, str, bytes]]) -> bool:
        """True if these are all images of a build, as it has made them."""
        made = await build.images()
        if len(images) != len(made):
            return False
        for number, (_, ref, config) in enumerate(images):
            if ref not in (build.id, f"{build.id}/{number}") or (config and config != encode(made[number].config)):
                return False
        return True

    async def _export_together(self, result: Result) -> dict[str, str]:
        """Of images of several builds, or with other configurations than their builds have given them, or with attestations."""
        if self.request.Cache.Exports:
            raise NotImplementedYet("a cache of a result that several builds have made")
        parts = list[Part]()
        for platform, ref, config in result.images():
            given = exporters.config(config) if config else None
            stated = [
                results.attested(each, (await self.made(each.ref.id)).manifest.digest)
                for name, listed in result.attestations.items()
                if name == platform or not result.is_map
                for each in listed
            ]
            manifest = (await self.made(ref)).manifest.digest if ref else ""
            parts.append(Part(manifest=manifest, platform=platform, config=given, attested=stated))
        options = BuildOptions(live=True, task=Assembly(parts=parts), scan=attributes.scan(self.request.FrontendAttrs))
        exporters.read(self.request, options)
        options.platforms = [part.platform for part in parts if part.platform]
        build = await self._begin(options, "")
        await build.images()
        return await build.export(None)
