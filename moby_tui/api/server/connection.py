"""One client's connection: requests in, answers out, and how either side's end is told apart.

A client may half-close behind its request (``shutdown(2)``) and still wants its answer; it may ask for an upgrade and be refused.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from moby_tui.api.server.parser import Heads, RequestParser
from moby_tui.api.server.versions import HEADERS

log = logging.getLogger(__name__)

#: Bytes of a request line (build arguments and filters travel in the query) or of a header (logins do): as Go's server has it.
MAX_LINE = 1024 * 1024


class Hangup:
    """Aborts a connection that nobody reads or writes as soon as the client has closed both directions.

    An epoll instance that asks for no event still becomes readable on EPOLLHUP and EPOLLERR (epoll_ctl(2)). A TCP client that
    closes looks like one that half-closes until something is sent to it (tcp(7)).
    """

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._epoll.register(transport.get_extra_info("socket").fileno(), 0)
        self._loop.add_reader(self._epoll.fileno(), self._abort)

    def _abort(self) -> None:
        self.close()
        self._transport.abort()  # type: ignore[attr-defined]

    def close(self) -> None:
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()


class Connection(RequestHandler):
    """aiohttp's connection, with half-close and ``Upgrade: tcp``.

    aiohttp's compiled parser knows no upgrade but "websocket" and drops the bytes that follow any other; the one in Python keeps
    them. And where aiohttp closes when the client half-closes, here the requests that have arrived are answered first.
    """

    __slots__ = ("_hangup", "half_closed", "lasting")

    half_closed: bool
    #: The answer under way lasts until something else happens (a container ends, a build is done): see ``Route.lasting``.
    lasting: bool

    def __init__(self, manager: web.Server, heads: Heads, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self._parser = RequestParser(
            heads,
            self,
            loop,
            self._read_bufsize,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=self._max_msg_queue_size,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.half_closed = self.lasting = False
        self._hangup: Hangup | None = None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if isinstance(self._parser, RequestParser) and self._parser.failure is not None:
            super().data_received(b"")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _stop_watching(self) -> None:
        if self._hangup is not None:
            self._hangup.close()
            self._hangup = None

    @property
    def over_tcp(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("socket").family != socket.AF_UNIX

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """True keeps the connection for the answers that are due."""
        self.half_closed = True
        answering = bool(self._messages) or self._waiter is None
        if not answering or self.transport is None or (self.lasting and self.over_tcp):
            return None
        if self._parser is not None:
            self._end_body()
        self._hangup = Hangup(self.transport)
        return True

    def _end_body(self) -> None:
        """Ends the body of the request that is being read: if it was cut short, its handler gets a ``RequestPayloadError`` from it."""
        assert self._parser is not None
        body = self._parser._payload_parser
        try:
            self._parser.feed_eof()
        except HttpProcessingError as error:
            if body is not None:
                body.payload.set_exception(web.RequestPayloadError(error.message.strip()))

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        self.lasting = False
        if self.half_closed and not self._messages:
            self.close()
        return finished

    def hijack(self) -> tuple[bytes, bool]:
        """Ends HTTP on this connection. Returns what the client has sent after its request, and true if it sends nothing more."""
        self._stop_watching()
        early, self._message_tail = self._message_tail, b""
        return early, self.half_closed

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that cannot be read is the client's fault, met again by who reads the rest of it away."""
        if isinstance(kw.get("exc_info"), web.RequestPayloadError):
            log.debug("malformed request body from %s: %s", self._client, kw["exc_info"])
        else:
            super().log_exception(*args, **kw)

    @property
    def _client(self) -> str:
        return str(self.peername or "a unix socket")

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no HTTP."""
        if isinstance(exc, ConnectionError):
            # nobody is there to be told
            raise exc
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        log.debug("malformed request from %s: %s", self._client, " ".join((message or "").split())[:200])
        response = web.Response(status=status, text=f"{status} Bad Request", headers=HEADERS)
        response.force_close()
        return response
