"""moby.buildkit.v1.frontend.LLBBridge: a client directs its build, which it names in the metadata of each call.

buildx works so: it begins a build without a frontend (Control.Solve), has the frontend called here, and returns the result to be exported.
"""

from __future__ import annotations

from typing import Any

from moby_tui.api.buildkit.control import failures, reading, sources, subrequests, workers
from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.solve import Solve, config_of
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.api.client.protocol import Client
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema.build import Made

#: The metadata that names the build.
_BUILD = "buildkit-controlapi-buildid"
_CONFIG, _PLATFORMS = "containerimage.config", "refs.platforms"


class Bridge:
    """Each method is one call; ``stream`` is grpclib's."""

    def __init__(self, client: Client, builds: Builds) -> None:
        self._client = client
        self._builds = builds

    async def ping(self, stream: Any) -> None:
        await stream.recv_message()
        await self._solve_of(stream)
        answer = pb.PongResponse(
            FrontendAPICaps=workers.capabilities(workers.BRIDGE),
            LLBCaps=workers.capabilities(workers.BUILDS),
            Workers=[await workers.record(self._client)],
        )
        await stream.send_message(answer)

    async def solve(self, stream: Any) -> None:
        """A build of a frontend. Its images are made at the end of the call, and exported if the client returns them."""
        request: pb.SolveRequest = await stream.recv_message()
        solve = await self._solve_of(stream)
        if getattr(request.Definition, "def"):
            await stream.send_message(await self._of_graph(solve, request))
            return
        question = request.FrontendOpt.get("requestid", "")
        subrequests.check(question)
        try:
            frontend = await solve.frontend(request.Frontend, request.FrontendOpt, request.FrontendInputs, request.CacheImports)
            if question:
                answer = subrequests.answer(question, await frontend.examined())
                await stream.send_message(pb.SolveResponse(result=pb.Result(ref=pb.Ref(), metadata=answer)))
                return
            images = await frontend.images()
        except MobyError as error:
            raise failures.of_build(error, solve.reporter.failed) from error
        await stream.send_message(pb.SolveResponse(ref=frontend.id, result=_result(frontend.id, images)))

    async def _of_graph(self, solve: Solve, request: pb.SolveRequest) -> pb.SolveResponse:
        if request.Frontend:
            raise InvalidArgument("cannot solve with both Definition and Frontend specified")
        try:
            graph = await solve.graph(request.Definition, request.CacheImports)
            [made] = await graph.images()
        except MobyError as error:
            raise failures.of_build(error, solve.reporter.failed) from error
        ref = pb.Ref(id=graph.id, **{"def": sources.result(made.manifest.digest)})
        return pb.SolveResponse(ref=graph.id, result=pb.Result(ref=ref))

    async def evaluate(self, stream: Any) -> None:
        """Answers at once: a client learns of a result only after the result is made."""
        await stream.recv_message()
        await stream.send_message(pb.EvaluateResponse())

    async def read_file(self, stream: Any) -> None:
        request: pb.ReadFileRequest = await stream.recv_message()
        made = await (await self._solve_of(stream)).made(request.Ref)
        await stream.send_message(pb.ReadFileResponse(Data=await in_thread(reading.file, made, request)))

    async def read_dir(self, stream: Any) -> None:
        request: pb.ReadDirRequest = await stream.recv_message()
        made = await (await self._solve_of(stream)).made(request.Ref)
        await stream.send_message(pb.ReadDirResponse(entries=await in_thread(reading.directory, made, request)))

    async def stat_file(self, stream: Any) -> None:
        request: pb.StatFileRequest = await stream.recv_message()
        made = await (await self._solve_of(stream)).made(request.Ref)
        await stream.send_message(pb.StatFileResponse(stat=await in_thread(reading.status, made, request.Path)))

    def _returned(self, request: pb.ReturnRequest) -> str:
        result = request.result
        kind = result.WhichOneof("result")
        if kind == "ref":
            return result.ref.id
        if kind == "refDeprecated":
            return result.refDeprecated
        refs = [ref.id for ref in result.refs.refs.values()] or list(result.refsDeprecated.refs.values())
        if len({ref.partition("/")[0] for ref in refs}) > 1:
            raise NotImplementedYet("a result that several builds have made")
        return refs[0] if refs else ""

    # named after the procedure, whose name is a keyword
    async def return_(self, stream: Any) -> None:
        """The end of what the client directs: a result to export, or an error."""
        request: pb.ReturnRequest = await stream.recv_message()
        solve = await self._solve_of(stream)
        if request.HasField("error") and request.error.code:
            solve.take_failure(request.error.code, request.error.message)
        else:
            solve.take_result(self._returned(request), request.result.metadata.get(_CONFIG, b""))
        await stream.send_message(pb.ReturnResponse())

    async def _solve_of(self, stream: Any) -> Solve:
        name = (stream.metadata or {}).get(_BUILD)
        if not name:
            raise InvalidArgument(f"the call names no build: set the metadata {_BUILD}")
        return await self._builds.get(str(name))


def _result(ident: str, images: list[Made] | Any) -> pb.Result:
    if len(images) == 1:
        ref = pb.Ref(id=ident, **{"def": sources.result(images[0].manifest.digest)})
        return pb.Result(ref=ref, metadata={_CONFIG: config_of(images[0])})
    from moby_tui.schema.base import encode

    platforms, refs, metadata = [], {}, {}
    for number, made in enumerate(images):
        name = "/".join(filter(None, (made.config.os, made.config.architecture, made.config.variant)))
        platforms.append({"ID": name, "Platform": made.manifest.platform})
        refs[name] = pb.Ref(id=f"{ident}/{number}", **{"def": sources.result(made.manifest.digest)})
        metadata[f"{_CONFIG}/{name}"] = config_of(made)
    metadata[_PLATFORMS] = encode({"Platforms": platforms})
    return pb.Result(refs=pb.RefMap(refs=refs), metadata=metadata)
