"""Who directs builds over the bridge: the client of a build, or a frontend in a container of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.control.bridge.containers import Containers
from moby_tui.api.buildkit.control.bridge.results import Result, from_message
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.errors import MobyError
from moby_tui.schema.build import Made, StepContainer
from moby_tui.schema.operations import Lookup, Sandbox


class Asked(NamedTuple):
    """A build of a frontend, as the bridge's ``Solve`` and the first call of a client ask for it."""

    frontend: str
    attributes: Mapping[str, str]
    inputs: Mapping[str, Definition]
    caches: Sequence[Message] = ()


class Solver(Protocol):
    """The build in which it is directed. Each method raises ``MobyError``."""

    async def solve(self, asked: Asked, depth: int) -> Result:
        """``depth`` counts the frontends that have asked each other for it."""
        ...

    async def solve_graph(self, graph: Definition, caches: Sequence[Message]) -> Result: ...
    async def made(self, ref: str) -> Made: ...
    async def look_up(self, lookup: Lookup) -> tuple[str, bytes]:
        """Digest and configuration of an image."""
        ...

    async def occupy(self, sandbox: Sandbox, use: Callable[[StepContainer], Awaitable[None]]) -> None:
        """Makes a container for as long as ``use`` goes on."""
        ...

    async def warn(self, warning: pb.WarnRequest) -> None: ...
    def failed(self) -> str:
        """The digest of the vertex that has failed first, or empty."""
        ...

    def failure(self) -> GRPCError | None:
        """Of a build in it that has failed."""
        ...


class Director:
    """``inputs`` are graphs that it was given; ``depth`` is that of its frontend: 0 for the client."""

    def __init__(self, solver: Solver, inputs: Mapping[str, Definition], depth: int = 0) -> None:
        self.solver = solver
        self.inputs = inputs
        self.depth = depth
        self.containers = Containers(solver.made, solver.occupy)
        #: what it has returned in the end
        self.returned: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    async def take(self, request: pb.ReturnRequest) -> None:
        """The end of what it directs. Raises ``MobyError`` for a second one, ``NotFound`` for an image that no build has made."""
        if self.returned.done():
            raise MobyError("gateway result is already set")
        if request.HasField("error"):
            own = GRPCError(_status(request.error.code), request.error.message, list(request.error.details))
            self.returned.set_exception(own if self.depth else self.solver.failure() or own)
            # whoever waits for it may be gone
            self.returned.exception()
            return
        result = from_message(request.result)
        stated = (each.ref.id for listed in result.attestations.values() for each in listed)
        for ref in filter(None, (*result.refs.values(), *stated)):
            await self.solver.made(ref)
        self.returned.set_result(result)

    async def close(self) -> None:
        """Ends its containers."""
        self.returned.cancel()
        await self.containers.close()


def _status(number: int) -> Status:
    try:
        return Status(number)
    except ValueError:
        return Status.UNKNOWN
