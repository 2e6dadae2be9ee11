"""One HTTP/2 connection with bounds that grpclib leaves to its caller, and what a failed call says."""

from __future__ import annotations

import asyncio
import binascii
import logging
from contextlib import suppress
from functools import partial
from typing import Any, cast

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import AbstractHandler, Connection, EventsProcessor, H2Protocol, Stream
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.events import Event, StreamReset

from moby_tui.api.buildkit.grpc.frames import Frames
from moby_tui.api.buildkit.grpc.gathering import Gathering
from moby_tui.api.buildkit.grpc.messages import check_prefix
from moby_tui.api.buildkit.wire.status_pb2 import Status as StatusMessage
from moby_tui.errors import MobyError, refused_by_system

log = logging.getLogger(__name__)

#: Bytes of answers (to pings, for one) that wait for a peer which does not read. Calls wait themselves, at 64 KiB.
MOST_UNREAD = 8 << 20

#: What a client sends before its first frame (RFC 9113, 3.4).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: The status of a call that fails with one of our errors, by the HTTP status that it would have (google.rpc.Code).
_STATUS = {
    400: Status.INVALID_ARGUMENT,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    409: Status.FAILED_PRECONDITION,
    501: Status.UNIMPLEMENTED,
    503: Status.UNAVAILABLE,
    507: Status.RESOURCE_EXHAUSTED,
}


class _Codec(ProtoCodec):
    def decode(self, data: bytes, message_type: Any) -> Any:
        try:
            return super().decode(data, message_type)
        except DecodeError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, f"a message is no {message_type.DESCRIPTOR.full_name}") from error


CODEC = _Codec()
#: What grpclib raises for an end of a call that cannot be read.
MALFORMED = (DecodeError, binascii.Error, UnicodeError)


class Details(StatusDetailsCodecBase):
    """Encodes and decodes ``grpc-status-details-bin``: messages whose type is told by their full name.

    ``GRPCError.details`` is a sequence of messages if we fail, and of ``Any`` if the peer does; those are passed on as they are.
    """

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        answer = StatusMessage(code=status.value, message=message or "")
        for detail in details or ():
            packed = answer.details.add()
            if isinstance(detail, AnyMessage):
                packed.CopyFrom(detail)
                continue
            packed.type_url = detail.DESCRIPTOR.full_name
            packed.value = detail.SerializeToString()
        return answer.SerializeToString()

    def decode(self, status: Status, message: str | None, data: bytes) -> Any:
        return list(StatusMessage.FromString(data).details)


def failure(error: Exception) -> GRPCError | None:
    """The failed call's end for an error of ours or of the system; None for a defect."""
    ours = error if isinstance(error, MobyError) else refused_by_system(error)
    return GRPCError(_STATUS.get(ours.status, Status.UNKNOWN), ours.message) if ours else None


class BoundedStream(Stream):
    """grpclib reads the five bytes before each message (``messages.py``), then the message."""

    _at_prefix = True

    async def arrived(self) -> bytes:
        """Waits for data and returns all that is there; nothing at the end. Not for calls that use ``recv_data``."""
        waiting, pieces, taken = self.buffer._unacked, list[bytes](), 0
        while not pieces or not waiting.empty():
            if self.buffer._eof and waiting.empty():
                break
            data, _, size = await waiting.get()
            taken += size
            if data:
                pieces.append(data)
        self.connection.ack(cast(int, self.id), taken)
        return b"".join(pieces)

    async def recv_data(self, size: int) -> bytes:
        """Waits for ``size`` bytes. Raises ``GRPCError`` for a compressed message, and for one beyond the bound before it is kept."""
        at_prefix, self._at_prefix = self._at_prefix, not self._at_prefix
        check_prefix(b"", size)
        try:
            data = await super().recv_data(size)
        except AssertionError:
            data = b""
            at_prefix = False
        if len(data) != size and not at_prefix:
            raise StreamTerminatedError("the call ended in the middle of a message")
        if at_prefix:
            check_prefix(data[:1], 0)
        return data


class _Processor(EventsProcessor):
    def process(self, event: Event) -> None:
        """What grpclib has no use for, such as a frame of an extension, is passed over (RFC 9113, 5.5)."""
        with suppress(NotImplementedError):
            super().process(event)

    def process_stream_reset(self, event: StreamReset) -> None:
        """A server that has answered may end the rest of the request so: the answer counts (RFC 9113, 8.1)."""
        stream = self.streams.get(event.stream_id)
        if event.error_code == ErrorCodes.NO_ERROR and stream is not None and stream.trailers is not None:
            return
        super().process_stream_reset(event)


class GrpcProtocol(H2Protocol):
    """An asyncio protocol that speaks HTTP/2 for ``handler``."""

    def __init__(self, handler: AbstractHandler, *, client_side: bool) -> None:
        configuration = Configuration()
        super().__init__(
            handler,
            configuration.__for_client__() if client_side else configuration.__for_server__(),
            H2Configuration(client_side=client_side, header_encoding="utf-8"),
        )
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames = Frames(0 if client_side else len(_PREFACE))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = Gathering(cast(asyncio.Transport, transport))
        super().connection_made(self._transport)
        self.processor = _Processor(self.handler, self.connection)
        self.connection.create_stream = partial(_create_stream, self.connection)  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        """Any input that HTTP/2 does not allow ends the connection, and no more than that."""
        if self.connection.is_closing():
            return
        try:
            super().data_received(self._frames.take(data))
        except (ValueError, LookupError) as error:
            # a header that is not UTF-8, for one
            log.debug("malformed HTTP/2: %s", error)
            self.close("malformed HTTP/2")
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self.close("the peer sends and does not read")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if not self._closed.done():
            self._closed.set_result(None)

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done once the connection is gone. A task that is cancelled while it waits cancels nobody else's waiting."""
        return asyncio.shield(self._closed)

    def close(self, reason: str) -> None:
        """Ends all calls and the connection, at once."""
        self.processor.close(reason)
        self._transport.abort()


def _create_stream(connection: Connection, *, stream_id: int | None = None, wrapper: Any = None) -> Stream:
    return BoundedStream(connection, connection._connection, connection._transport, stream_id=stream_id, wrapper=wrapper)
