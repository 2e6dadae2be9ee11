"""Requests out of the bytes of a connection."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import EMPTY_PAYLOAD, HttpVersion10, HttpVersion11, StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy, RawRequestMessage

_END = b"\r\n\r\n"
#: In a request line.
_BLANKS = 2
#: Bytes of a request that ``Heads`` parses. aiohttp's limit for a line is no less.
_LONGEST = 8190
#: Headers (lower case) after which more may follow than the head of one request: a body, or another protocol.
_MORE = (b"\r\ncontent-length", b"\r\ntransfer-encoding", b"\r\nupgrade", b"\r\nsec-websocket")


class Heads:
    """aiohttp's compiled parser for most requests that clients make: one GET or HEAD without a body, whole in one piece of data.

    It takes a sixth of the time of the one in Python. Between two requests it has no state, so that all connections have one in common.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser: Any = None

    def parse(self, data: bytes) -> RawRequestMessage | None:
        """The request that ``data`` is. None for all else: what is malformed, incomplete, has a body or is followed by more."""
        if not data.startswith((b"GET ", b"HEAD ")) or len(data) > _LONGEST or data.find(_END) != len(data) - len(_END):
            return None
        folded = data.lower()
        # llhttp takes more blanks than there should be
        if any(name in folded for name in _MORE) or data.count(b" ", 0, data.find(b"\r\n")) != _BLANKS:
            return None
        parser, self._parser = self._parser or HttpRequestParser(None, self._loop, _LONGEST), None
        try:
            messages, _, _ = parser.feed_data(data)
        except HttpProcessingError:
            return None
        if len(messages) != 1 or messages[0][1] is not EMPTY_PAYLOAD:
            return None
        message: RawRequestMessage = messages[0][0]
        if message.version not in (HttpVersion10, HttpVersion11):
            return None
        if not message.should_close:  # behind such a request this parser takes nothing
            self._parser = parser
        return message


class RequestParser(HttpRequestParserPy):
    """aiohttp's parser in Python, which here reads one request after the other.

    aiohttp's own reads all requests of a piece of data before it returns, and a malformed one loses those ahead of it. Here those are
    returned, and the malformed one is raised by the next call: each has its answer, in the order of the requests (RFC 9112, section 9.3.2).
    """

    def __init__(self, heads: Heads, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heads = heads

    #: why the request behind those that have been returned cannot be read
    failure: HttpProcessingError | None = None

    def feed_data(
        self, data: bytes, *separators: Any, **constants: Any
    ) -> tuple[list[tuple[RawRequestMessage, StreamReader]], bool, bytes]:
        """Returns the requests that ``data`` completes, whether the last one upgrades the connection, and what follows it then.

        Raises ``HttpProcessingError`` for a malformed request. No more requests are read than the connection has room for; the rest is
        read by the next call.
        """
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if self._is_between_requests and (message := self._heads.parse(data)) is not None:
            self._msg_in_flight += 1
            return [(message, EMPTY_PAYLOAD)], False, b""
        most, messages = self._max_msg_queue_size, []
        try:
            while True:
                self._max_msg_queue_size = min(self._msg_in_flight + 1, most)
                read, upgraded, tail = super().feed_data(data, *separators, **constants)
                messages += read
                if upgraded or not read or not self._tail or self._msg_in_flight >= most:
                    return messages, upgraded, tail
                data = b""
        except HttpProcessingError as error:
            if not messages:
                raise
            self.failure = error
            return messages, False, b""
        finally:
            self._max_msg_queue_size = most

    @property
    def _is_between_requests(self) -> bool:
        """True if the next byte is the first of a request, and there is room for one."""
        begun = self._tail or self._lines or self._payload_parser is not None or self._upgraded
        return not begun and self._msg_in_flight < self._max_msg_queue_size
