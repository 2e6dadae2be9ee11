"""Requests out of the bytes of a connection."""

from __future__ import annotations

from typing import Any

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage


class RequestParser(HttpRequestParserPy):
    """aiohttp's parser in Python, which here reads one request after the other.

    aiohttp's own reads all requests of a piece of data before it returns, and a malformed one loses those ahead of it. Here those are
    returned, and the malformed one is raised by the next call: each has its answer, in the order of the requests (RFC 9112, section 9.3.2).
    """

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
