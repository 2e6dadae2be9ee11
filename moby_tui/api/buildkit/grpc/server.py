"""The server of a connection: our services, called by the peer."""

from __future__ import annotations

import keyword
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass
from grpclib.const import Cardinality, Status
from grpclib.const import Handler as Method
from grpclib.events import _DispatchServerEvents
from grpclib.exceptions import GRPCError
from grpclib.server import Handler, Stream

from moby_tui.api.buildkit.grpc.connection import CODEC, Details, GrpcProtocol, failure

_CARDINALITY = {False: "UNARY", True: "STREAM"}

#: One call: reads the peer's messages from the stream and writes the answers to it.
Procedure = Callable[[Stream[Any, Any]], Awaitable[None]]


class ServerProtocol(GrpcProtocol):
    async def serve(self) -> None:
        """Until the connection is gone and all its calls have ended. Cancelling it closes the connection."""
        try:
            await self.closed
        finally:
            self.close("the server is shutting down")
            await self.ended()

    async def ended(self) -> None:
        """Waits for the ends of all calls of a connection that is gone."""
        assert isinstance(self.handler, Handler)
        await self.handler.wait_closed()


def server(procedures: Procedures) -> ServerProtocol:
    """A protocol for one connection that answers calls of ``procedures``."""
    return ServerProtocol(Handler(procedures, CODEC, Details(), _DispatchServerEvents()), client_side=False)


async def _refuse(stream: Stream[Any, Any]) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, f"{stream._method_name} is not implemented")


class Procedures(dict[str, Method]):
    """Those of ``services``, by their paths: made once for all connections that offer them.

    A service is given by its descriptor (``control_pb2.DESCRIPTOR.services_by_name["Control"]``) and an object whose methods are
    named after the procedures, in lower case with underscores: ``ListWorkers`` is ``async def list_workers(self, stream)``, with
    ``stream`` a ``grpclib.server.Stream`` (``recv_message``, ``send_message``, ``metadata``). A procedure without a method is
    answered UNIMPLEMENTED. A method fails with a ``MobyError``, or with a ``GRPCError`` whose ``details`` are protobuf messages. It is
    cancelled when the caller cancels the call or is gone.
    """

    def __init__(self, services: Mapping[ServiceDescriptor, object]) -> None:
        super().__init__(
            (f"/{service.full_name}/{procedure.name}", _method(procedure, method))
            for service, implementation in services.items()
            for procedure in service.methods
            if (method := getattr(implementation, snake_case(procedure.name), None))
        )

    # grpclib's own answer to an unknown procedure has no Content-Type, and Go's clients take it for a broken connection
    def get(self, name: str, default: Any = None) -> Method:
        return self[name] if name in self else Method(_refuse, Cardinality.STREAM_STREAM, Empty, Empty)


def snake_case(name: str) -> str:
    """``list_workers`` for ``ListWorkers``; ``return_`` for ``Return``, since the plain word is Python's."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return f"{words}_" if keyword.iskeyword(words) else words


def _method(procedure: MethodDescriptor, method: Procedure) -> Method:
    return Method(
        _telling_failures(method),
        Cardinality[f"{_CARDINALITY[procedure.client_streaming]}_{_CARDINALITY[procedure.server_streaming]}"],
        GetMessageClass(procedure.input_type),
        GetMessageClass(procedure.output_type),
    )


def _telling_failures(method: Procedure) -> Procedure:
    async def call(stream: Stream[Any, Any]) -> None:
        try:
            await method(stream)
        except GRPCError:
            raise
        except Exception as error:
            if ours := failure(error):
                raise ours from error
            raise

    return call
