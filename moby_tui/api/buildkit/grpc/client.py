"""The client of a connection: the peer's services, called by us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from google.protobuf.message import Message
from grpclib.client import Channel as GrpclibChannel
from grpclib.client import Handler, Stream
from grpclib.const import Cardinality
from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import H2Protocol

from moby_tui.api.buildkit.grpc.connection import CODEC, BoundedStream, Details, GrpcProtocol
from moby_tui.api.buildkit.grpc.messages import framed
from moby_tui.errors import InvalidArgument

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
#: Names in lower case; a name may be there several times.
Metadata = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Method(Generic[Request, Answer]):
    """A procedure of the peer. ``path`` is ``/package.Service/Procedure``."""

    path: str
    request: type[Request]
    answer: type[Answer]
    streaming: bool = False

    @property
    def cardinality(self) -> Cardinality:
        return Cardinality.STREAM_STREAM if self.streaming else Cardinality.UNARY_UNARY


async def end(stream: Stream[Request, Answer]) -> None:
    """Tells the peer that no more messages come, unless it has ended the call already."""
    if stream._stream.closable:
        await stream.end()
    else:
        stream._end_done = True


async def receive(stream: Stream[Request, Answer]) -> bytes:
    """Waits for data (``messages.py``), and returns all that has come; nothing at the end. Not beside ``recv_message``."""
    if not stream._recv_initial_metadata_done:
        await stream.recv_initial_metadata()
    with stream._wrapper:
        return await cast(BoundedStream, stream._stream).arrived()


async def send_some(stream: Stream[Request, Answer], messages: Sequence[Request]) -> None:
    """Sends several requests of a call at once: in as few frames as they fit in."""
    with stream._wrapper:
        await stream._stream.send_data(b"".join(framed(message.SerializeToString()) for message in messages))


class Channel(GrpclibChannel):
    """Calls over one connection, which is given to ``protocol`` by whoever has it. It is never made anew."""

    def __init__(self) -> None:
        super().__init__(codec=CODEC, status_details_codec=Details())
        self._authority = "localhost"
        self.protocol = GrpcProtocol(Handler(), client_side=True)
        self._protocol = self.protocol

    async def _create_connection(self) -> H2Protocol:
        raise StreamTerminatedError("the client has closed its session")

    async def call(
        self, method: Method[Request, Answer], request: Request, metadata: Metadata | None = None, timeout: float | None = None
    ) -> Answer:
        """One request and its answer. Raises ``GRPCError``; ``StreamTerminatedError`` if the connection ends; ``TimeoutError``."""
        async with self.open(method, metadata, timeout=timeout) as stream:
            await stream.send_message(request, end=True)
            answer = await stream.recv_message()
        if answer is None:
            raise StreamTerminatedError(f"{method.path} gave no answer")
        return answer

    def open(
        self, method: Method[Request, Answer], metadata: Metadata | None = None, timeout: float | None = None
    ) -> Stream[Request, Answer]:
        """A call with many messages: an asynchronous context manager, whose end waits for the call's end.

        Raises ``InvalidArgument`` for metadata that cannot be a header; an empty value is left out.
        """
        headers = [*(metadata.items() if isinstance(metadata, Mapping) else metadata or ())]
        for name, value in headers:
            if not ((value.isascii() and value.isprintable()) or not value):
                raise InvalidArgument(f"{name} cannot be {value[:80]!r}: it is sent as a header")
        return self.request(
            method.path,
            method.cardinality,
            method.request,
            method.answer,
            metadata=[(name, value) for name, value in headers if value],
            timeout=timeout,
        )

    def close(self) -> None:
        """Ends all calls and the connection. The channel is not used again."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None and hasattr(protocol, "processor"):
            self.protocol.close("closed")
