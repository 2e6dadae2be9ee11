"""One build of a client: what it asks for, the frontend's builds in it, its result and its progress."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.control import attributes, caching, definition, exporters, failures, sources
from moby_tui.api.buildkit.control.progress import Log, Reporter
from moby_tui.api.buildkit.control.supplier import Supplier
from moby_tui.api.buildkit.session.session import Session
from moby_tui.api.buildkit.session.sessions import Sessions
from moby_tui.api.buildkit.wire.control_pb2 import SolveRequest
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.api.client.protocol import Client
from moby_tui.errors import InvalidArgument, MobyError, NotFound, NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import BuildOptions, Examined, Made, Warned
from moby_tui.schema.image import Progress


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
        self._frontends: dict[str, Frontend] = {}
        #: that of the image, for a graph of operations
        self._config: oci.ImageConfig | None = None
        #: the id of the result that the client wants exported, or empty for none
        self._returned: asyncio.Future[str] = asyncio.get_running_loop().create_future()

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
            for frontend in self._frontends.values():
                await frontend.close()
            self.ended = time.time()
            await self.log.close()
        return self.response

    async def _run(self) -> dict[str, str]:
        request = self.request
        has_graph = bool(getattr(request.Definition, "def"))
        if has_graph and request.Frontend:
            raise InvalidArgument("cannot solve with both Definition and Frontend specified")
        if has_graph:
            chosen = await self._made(await self.graph(request.Definition, ()))
        elif request.Frontend:
            attributes = await self.frontend(request.Frontend, request.FrontendAttrs, request.FrontendInputs, ())
            chosen = await self._made(attributes)
        else:
            # the client directs the build over the bridge
            chosen = await self._returned
        if not chosen:
            return {}
        answer = await self._frontends[chosen].export(self._config)
        self.provenance = self._frontends[chosen].provenance
        return answer

    async def _made(self, frontend: Frontend) -> str:
        await frontend.images()
        return frontend.id

    async def frontend(
        self, name: str, asked: Mapping[str, str], inputs: Mapping[str, Definition], caches: Sequence[Message]
    ) -> Frontend:
        """Begins a build of a frontend. Raises ``MobyError`` for what this engine does not do."""
        if name not in attributes.FRONTENDS:
            raise NotImplementedYet(f"the frontend {name[:80]!r}")
        options = attributes.read(asked, {name: await self._one_source(graph) for name, graph in inputs.items()})
        exporters.read(self.request, options)
        caching.read(asked, self.request.Cache, caches, options)
        options.check = bool(asked.get("requestid"))
        options.allow = list(self.request.Entitlements)
        options.host = msgspec.structs.replace(options.host, **self._limits)
        self.attributes |= asked
        return await self._begin(options, attributes.upload(asked))

    async def _one_source(self, graph: Definition) -> Definition:
        """Returns a graph that is one source: ``graph`` itself, or that of the image that ``graph`` makes, which is made now."""
        if sources.is_source(graph):
            return graph
        [made] = await (await self.graph(graph, ())).images()
        return sources.result(made.manifest.digest)

    async def graph(self, graph: Definition, caches: Sequence[Message]) -> Frontend:
        """Begins a build from a graph of operations. Raises ``MobyError`` for one that is damaged or has what this engine lacks."""
        for name in self.request.FrontendAttrs:
            if name.startswith("attest:"):
                raise NotImplementedYet("attestations of a build from a graph of operations")
        options = BuildOptions(live=True, graph=definition.read(graph))
        self._config = exporters.read(self.request, options)
        caching.read({}, self.request.Cache, caches, options)
        options.allow = list(self.request.Entitlements)
        return await self._begin(options, "")

    async def _begin(self, options: BuildOptions, upload: str) -> Frontend:
        session = await self._sessions.get(self.request.Session)
        frontend = Frontend(self, session, options, upload)
        self._frontends[frontend.id] = frontend
        frontend.begin(self._client)
        return frontend

    def take_result(self, ref: str, config: bytes = b"") -> None:
        """``ref`` is the id of an image of one of the builds, or empty for none; ``config`` the configuration that it gets.

        Raises ``InvalidArgument`` for an unknown one.
        """
        if config:
            self._config = exporters.config(config)
        ident = ref.partition("/")[0]
        if ident and ident not in self._frontends:
            raise InvalidArgument(f"no such result: {ref[:80]}")
        if not self._returned.done():
            self._returned.set_result(ident)

    async def made(self, ref: str) -> Made:
        """The image with this id, of one of the builds. Raises ``NotFound``, and the error of its build."""
        ident, _, number = ref.partition("/")
        if ident not in self._frontends:
            raise NotFound(f"no such result: {ref[:80]}")
        images = await self._frontends[ident].images()
        if number and not (number.isdecimal() and int(number) < len(images)):
            raise NotFound(f"no such result: {ref[:80]}")
        return images[int(number or 0)]

    def take_failure(self, status: int, message: str) -> None:
        """The client ends its build with an error: that of a build of it, if one has failed, else its own."""
        if self._returned.done():
            return
        failed = (frontend.failure for frontend in self._frontends.values() if frontend.failure is not None)
        own = GRPCError(_status(status), message)
        self._returned.set_exception(next(failed, own))


def _status(number: int) -> Status:
    try:
        return Status(number)
    except ValueError:
        return Status.UNKNOWN


class Frontend:
    """A build of a Dockerfile, or from a graph of operations, for one client, held before its export until the client wants it."""

    def __init__(self, solve: Solve, session: Session, options: BuildOptions, upload: str) -> None:
        self.id = os.urandom(12).hex()
        self.failure: MobyError | None = None
        self._solve = solve
        self._session = session
        self._options = options
        self._upload = upload
        self._supplier = Supplier(session, self._warn)
        self._warned: list[Warned] = []
        #: of the image, of what its name means, and the description of that
        self._digest = self._top = self._descriptor = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self, client: Client) -> None:
        self._task = asyncio.create_task(self._build(client))

    async def images(self) -> Sequence[Made]:
        """Waits for the images, which are not exported yet. Raises ``MobyError``."""
        assert self._task is not None
        images = self._supplier.images
        waited: list[asyncio.Future[Any]] = [self._task, images]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not images.done():
            await self._task
            raise InvalidArgument("the build has made no image")
        return images.result()

    async def examined(self) -> Examined:
        """Waits for what the build, which only checks, has found. Raises ``MobyError``."""
        assert self._task is not None
        await self._task
        assert self._supplier.examined is not None
        return self._supplier.examined

    async def export(self, config: oci.ImageConfig | None) -> dict[str, str]:
        """Waits for the end of the export; returns the exporters' answer. ``config`` is for the image of a graph. Raises ``MobyError``."""
        assert self._task is not None
        self._supplier.go_on(config)
        await self._task
        made = self._supplier.images.result()
        names = exporters.names(self._solve.request)
        # dockerd's own store knows images by their configuration
        is_stored = any(output.kind == "image" for output in self._options.outputs)
        answer = {
            "containerimage.digest": self._digest if is_stored else self._top,
            "containerimage.config.digest": self._digest if len(made) == 1 else "",
            "containerimage.descriptor": "" if is_stored else self._descriptor,
            "image.name": ",".join(map(_canonical, names)),
            "buildx.build.provenance": "",
        }
        if not any(output.kind in ("image", "oci", "docker") for output in self._options.outputs):
            answer = {}
        if self._supplier.cache is not None:
            # the client notes it in the index of its store
            answer["cache.manifest"] = encode(self._supplier.cache).decode()
        return {name: value for name, value in answer.items() if value}

    @property
    def provenance(self) -> list[tuple[oci.Platform, bytes]]:
        return self._supplier.provenance

    async def close(self) -> None:
        """Ends a build that is not exported, and what it holds."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def _build(self, client: Client) -> None:
        sent = self._solve.context
        if sent is None and self._upload:
            sent = self._session.upload(self._upload)
        lines = client.builder.build(sent, self._options, None, self._supplier)
        try:
            async with aclosing(lines):  # type: ignore[type-var]
                async for line in lines:
                    await self._tell(line)
        except MobyError as error:
            self.failure = error
            raise

    async def _tell(self, line: Progress) -> None:
        while self._warned:
            await self._solve.reporter.warn(self._warned.pop(0))
        await self._solve.reporter.report(line)
        if line.aux and "ID" in line.aux:
            self._digest, self._top = str(line.aux["ID"]), str(line.aux.get("Digest", ""))
            self._descriptor = str(line.aux.get("Descriptor", ""))

    def _warn(self, warned: Warned) -> None:
        self._warned.append(warned)


def config_of(made: Made) -> bytes:
    """The image's configuration as the metadata of a result has it."""
    return encode(made.config)


def _canonical(name: str) -> str:
    from moby_tui.reference import parse

    return parse(name).canonical
