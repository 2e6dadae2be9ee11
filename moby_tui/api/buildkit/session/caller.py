"""Calls to the services of a session's client, and their failures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpclib.client import Stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from moby_tui.api.buildkit.grpc.client import Answer, Channel, Metadata, Method, Request
from moby_tui.api.buildkit.grpc.connection import MALFORMED
from moby_tui.api.buildkit.session.opening import Opening
from moby_tui.api.buildkit.wire.health_pb2 import HealthCheckRequest, HealthCheckResponse
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, Unauthorized, Unavailable

CHECK = Method("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse)
#: Seconds between two looks whether the client still answers, and that it has for an answer: a dead TCP peer says nothing.
HEALTH_PERIOD, HEALTH_PATIENCE = 15.0, 30.0
#: What Go puts before the text of an error that has come through a call.
_GO_PREFIX = re.compile(r"^(rpc error: code = \w+ desc = )+")
_ERRORS: dict[Status, type[MobyError]] = {
    Status.INVALID_ARGUMENT: InvalidArgument,
    Status.ALREADY_EXISTS: Conflict,
    Status.NOT_FOUND: NotFound,
    Status.UNAUTHENTICATED: Unauthorized,
    Status.UNAVAILABLE: Unavailable,
}


class Caller:
    """The daemon's end of a session. Calls raise ``MobyError``: ``Unavailable`` if the client is gone."""

    def __init__(self, opening: Opening, channel: Channel) -> None:
        self.opening = opening
        self.channel = channel

    @property
    def id(self) -> str:
        return self.opening.id

    @property
    def shared_key(self) -> str:
        return self.opening.shared_key

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done once the client is gone."""
        return self.channel.protocol.closed

    def offers(self, method: Method[Request, Answer]) -> bool:
        return method.path in self.opening.methods

    def close(self) -> None:
        self.channel.close()

    async def call(self, method: Method[Request, Answer], request: Request, metadata: Metadata | None = None) -> Answer:
        """One request and its answer. Raises ``NotFound`` if the client has no such thing, or does not offer the procedure."""
        self.require(method)
        try:
            return await self.channel.call(method, request, metadata)
        except (GRPCError, StreamTerminatedError, *MALFORMED) as error:
            raise failed(error) from error

    @asynccontextmanager
    async def stream(
        self, method: Method[Request, Answer], metadata: Metadata | None = None
    ) -> AsyncIterator[Stream[Request, Answer]]:
        """A call with many messages, whose end the end of the block waits for. Failures are raised as by ``call``."""
        self.require(method)
        try:
            async with self.channel.open(method, metadata) as stream:
                yield stream
        except (GRPCError, StreamTerminatedError, *MALFORMED) as error:
            raise failed(error) from error

    def require(self, method: Method[Request, Answer]) -> None:
        """Raises ``NotFound`` if the client does not offer the procedure."""
        if not self.offers(method):
            raise NotFound(f"the client's session does not offer {method.path.removeprefix('/')}")

    async def watch(self) -> None:
        """Looks from time to time whether the client answers, and closes the session of one that does not."""
        while not self.closed.done():
            await asyncio.wait([self.closed], timeout=HEALTH_PERIOD)
            try:
                async with asyncio.timeout(HEALTH_PATIENCE):
                    await self.channel.call(CHECK, HealthCheckRequest())
            except (GRPCError, *MALFORMED):
                # an answer too
                continue
            except (TimeoutError, StreamTerminatedError):
                self.close()
                return


def failed(error: Exception) -> MobyError:
    """The error of ours for a call that failed, with the client's text in one line."""
    if isinstance(error, StreamTerminatedError):
        return Unavailable("the client has closed its session")
    if not isinstance(error, GRPCError):
        return MobyError("the client ends a call with what cannot be read")
    text = _GO_PREFIX.sub("", " ".join((error.message or "").split()))[:500]
    return _ERRORS.get(error.status, MobyError)(text or f"the client answered {error.status.name}")
