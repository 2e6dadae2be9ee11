"""moby.buildkit.v1.Control."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from moby_tui.api.buildkit.control import history, usage, workers
from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.solve import Solve
from moby_tui.api.buildkit.session.sessions import Sessions
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.api.client.protocol import Client
from moby_tui.errors import InvalidArgument


class Control:
    """The service ``moby.buildkit.v1.Control``: each method answers one call; ``stream`` is grpclib's."""

    def __init__(self, client: Client, sessions: Sessions, builds: Builds, session: Callable[[Any], Awaitable[None]]) -> None:
        """``session`` carries a session inside the call ``Session``."""
        self.session = session
        self._client = client
        self._sessions = sessions
        self._builds = builds

    async def solve(self, stream: Any) -> None:
        """A build from its beginning to its end. It ends with the call."""
        request: pb.SolveRequest = await stream.recv_message()
        if not request.Ref:
            raise InvalidArgument("a build needs a name: set Ref")
        solve = Solve(self._client, self._sessions, request)
        async with self._builds.running(solve):
            response = await solve.run()
        await stream.send_message(pb.SolveResponse(ExporterResponse=response))

    async def status(self, stream: Any) -> None:
        """A build's progress from its beginning to its end."""
        request: pb.StatusRequest = await stream.recv_message()
        solve = await self._builds.get(request.Ref)
        async for message in solve.log.follow():
            await stream.send_message(message)

    async def list_workers(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(pb.ListWorkersResponse(record=[await workers.record(self._client)]))

    async def info(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(pb.InfoResponse(buildkitVersion=workers.version()))

    async def disk_usage(self, stream: Any) -> None:
        request: pb.DiskUsageRequest = await stream.recv_message()
        await stream.send_message(pb.DiskUsageResponse(record=await usage.records(self._client, request.filter)))

    async def prune(self, stream: Any) -> None:
        request: pb.PruneRequest = await stream.recv_message()
        for record in await usage.prune(self._client, request):
            await stream.send_message(record)

    async def listen_build_history(self, stream: Any) -> None:
        request: pb.BuildHistoryRequest = await stream.recv_message()
        async for event in history.listen(self._builds, request):
            await stream.send_message(event)

    async def update_build_history(self, stream: Any) -> None:
        request: pb.UpdateBuildHistoryRequest = await stream.recv_message()
        if request.Delete:
            await self._builds.forget(request.Ref)
        elif not request.Finalize:
            await self._builds.pin(request.Ref, request.Pinned)
        await stream.send_message(pb.UpdateBuildHistoryResponse())
