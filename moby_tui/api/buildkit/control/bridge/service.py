"""moby.buildkit.v1.frontend.LLBBridge: builds that are directed call by call.

buildx works so: it begins a build without a frontend (Control.Solve), has the frontend called here, and returns the result to be exported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from moby_tui.api.buildkit.control import failures, workers
from moby_tui.api.buildkit.control.bridge import reading, resolving, results
from moby_tui.api.buildkit.control.bridge.director import Asked, Director
from moby_tui.api.buildkit.control.bridge.processes import Processes
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.api.buildkit.wire.health_pb2 import HealthCheckRequest, HealthCheckResponse
from moby_tui.api.buildkit.wire.worker_pb2 import WorkerRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError


class Bridge:
    """Each method is one call; ``stream`` is grpclib's. ``find`` gives the director that a call is of, ``worker`` this engine's record."""

    def __init__(self, worker: Callable[[], Awaitable[WorkerRecord]], find: Callable[[Any], Awaitable[Director]]) -> None:
        self._worker = worker
        self._find = find

    async def ping(self, stream: Any) -> None:
        await stream.recv_message()
        await self._find(stream)
        answer = pb.PongResponse(
            FrontendAPICaps=workers.capabilities(workers.BRIDGE),
            LLBCaps=workers.capabilities(workers.BUILDS),
            Workers=[await self._worker()],
        )
        await stream.send_message(answer)

    async def inputs(self, stream: Any) -> None:
        await stream.recv_message()
        director = await self._find(stream)
        await stream.send_message(pb.InputsResponse(Definitions=director.inputs))

    async def solve(self, stream: Any) -> None:
        """A build of a frontend or of a graph. Its images are made at the end of the call, and exported if the director returns them."""
        request: pb.SolveRequest = await stream.recv_message()
        director = await self._find(stream)
        result = await self._solved(director, request)
        ref = "" if request.allowResultReturn or result.is_map else next(iter(result.refs.values()), "")
        await stream.send_message(pb.SolveResponse(ref=ref, result=results.to_message(result, request)))

    async def _solved(self, director: Director, request: pb.SolveRequest) -> results.Result:
        has_graph = bool(getattr(request.Definition, "def"))
        if has_graph and request.Frontend:
            raise InvalidArgument("cannot solve with both Definition and Frontend specified")
        try:
            if has_graph:
                return await director.solver.solve_graph(request.Definition, request.CacheImports)
            if not request.Frontend:
                return results.Result({"": ""})
            asked = Asked(request.Frontend, request.FrontendOpt, request.FrontendInputs, request.CacheImports)
            return await director.solver.solve(asked, director.depth)
        except MobyError as error:
            raise failures.of_build(error, director.solver.failed()) from error

    async def resolve_image_config(self, stream: Any) -> None:
        request: pb.ResolveImageConfigRequest = await stream.recv_message()
        solver = (await self._find(stream)).solver
        await stream.send_message(await resolving.image(solver.look_up, request))

    async def resolve_source_meta(self, stream: Any) -> None:
        request: pb.ResolveSourceMetaRequest = await stream.recv_message()
        solver = (await self._find(stream)).solver
        await stream.send_message(await resolving.source(solver.look_up, request))

    async def evaluate(self, stream: Any) -> None:
        """Answers at once: a director learns of a result only after the result is made. Raises ``NotFound``."""
        request: pb.EvaluateRequest = await stream.recv_message()
        await (await self._find(stream)).solver.made(request.Ref)
        await stream.send_message(pb.EvaluateResponse())

    async def read_file(self, stream: Any) -> None:
        request: pb.ReadFileRequest = await stream.recv_message()
        made = await (await self._find(stream)).solver.made(request.Ref)
        await stream.send_message(pb.ReadFileResponse(Data=await in_thread(reading.file, made, request)))

    async def read_dir(self, stream: Any) -> None:
        request: pb.ReadDirRequest = await stream.recv_message()
        made = await (await self._find(stream)).solver.made(request.Ref)
        await stream.send_message(pb.ReadDirResponse(entries=await in_thread(reading.directory, made, request)))

    async def stat_file(self, stream: Any) -> None:
        request: pb.StatFileRequest = await stream.recv_message()
        made = await (await self._find(stream)).solver.made(request.Ref)
        await stream.send_message(pb.StatFileResponse(stat=await in_thread(reading.status, made, request.Path)))

    async def new_container(self, stream: Any) -> None:
        request: pb.NewContainerRequest = await stream.recv_message()
        await (await self._find(stream)).containers.make(request)
        await stream.send_message(pb.NewContainerResponse())

    async def release_container(self, stream: Any) -> None:
        request: pb.ReleaseContainerRequest = await stream.recv_message()
        await (await self._find(stream)).containers.release(request.ContainerID)
        await stream.send_message(pb.ReleaseContainerResponse())

    async def exec_process(self, stream: Any) -> None:
        await Processes(stream, (await self._find(stream)).containers).run()

    async def warn(self, stream: Any) -> None:
        request: pb.WarnRequest = await stream.recv_message()
        await (await self._find(stream)).solver.warn(request)
        await stream.send_message(pb.WarnResponse())

    # named after the procedure, whose name is a keyword
    async def return_(self, stream: Any) -> None:
        """The end of what is directed: a result to export, or an error."""
        request: pb.ReturnRequest = await stream.recv_message()
        await (await self._find(stream)).take(request)
        await stream.send_message(pb.ReturnResponse())


class Health:
    """grpc.health.v1: a build client asks before it trusts a connection."""

    async def check(self, stream: Any) -> None:
        request: HealthCheckRequest = await stream.recv_message()
        assert request is not None
        await stream.send_message(HealthCheckResponse(status=HealthCheckResponse.SERVING))
