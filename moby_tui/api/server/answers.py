"""The forms an answer takes: one JSON document, nothing, a stream of JSON lines, a stream of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from aiohttp import web

from moby_tui.api.server.versions import HEADERS
from moby_tui.errors import MobyError
from moby_tui.schema.base import encode
from moby_tui.schema.image import ErrorDetail, Progress

JSON = "application/json"


def json(value: object, status: int = 200) -> web.Response:
    return encoded(encode(value), status)


def encoded(document: bytes, status: int = 200) -> web.Response:
    """A JSON document that is encoded already."""
    return web.Response(status=status, body=document + b"\n", headers={**HEADERS, "Content-Type": JSON})


def empty(status: int = 204) -> web.Response:
    return web.Response(status=status, headers=HEADERS)


def elsewhere(path: str, query: str) -> web.Response:
    """Sends the client to another path with the query that it has given."""
    return web.Response(status=301, headers={**HEADERS, "Location": quote(path) + (f"?{query}" if query else "")})


async def begin(request: web.BaseRequest, content_type: str, headers: dict[str, str] | None = None) -> web.StreamResponse:
    """Sends status and headers at once: clients wait for them before they go on."""
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": content_type, **(headers or {})})
    await response.prepare(request)
    return response


async def lines(
    request: web.BaseRequest, values: AsyncIterator[Any], *, content_type: str = JSON, render: Callable[[Any], bytes]
) -> web.StreamResponse:
    """One piece per value, each sent when it comes; the headers go first."""
    async with closing(values):
        response = await begin(request, content_type)
        async for value in values:
            await response.write(render(value))
    return response


def exit_or_status(error: MobyError) -> int:
    """A failed command's own exit code; else the status, by which one of ours knows the error's kind."""
    return error.exit_code if error.exit_code > 1 else error.status


async def progress(
    request: web.BaseRequest,
    steps: AsyncIterator[Progress],
    *,
    always_200: bool = False,
    code: Callable[[MobyError], int] = exit_or_status,
) -> web.StreamResponse:
    """Pull, push, load, import and build.

    The answer begins with the first step: clients that only wait for its headers take what comes with them as done. A failure before
    the first step has a status; a later one is told in the stream, and with ``always_200`` any. ``code``: what its ``errorDetail`` has.
    """
    async with closing(steps):
        try:
            first: Progress | None = await anext(steps, None)
        except MobyError as error:
            if not always_200:
                raise
            first = _failure(error, code(error))
        response = await begin(request, JSON)
        try:
            if first is not None:
                await response.write(_progress_line(first))
            async for step in steps:
                await response.write(_progress_line(step))
        except MobyError as error:
            await response.write(_progress_line(_failure(error, code(error))))
    return response


def _failure(error: MobyError, code: int) -> Progress:
    """The last line of a progress stream that failed: new clients read ``errorDetail``, old ones ``error``."""
    return Progress(error=error.message, error_detail=ErrorDetail(message=error.message, code=code))


def _progress_line(step: Progress) -> bytes:
    return encode(step) + b"\r\n"


async def raw(
    request: web.BaseRequest, pieces: AsyncIterator[bytes], *, content_type: str, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """Bytes as they come. The first piece is awaited before the status is sent, so that a refusal still has its own status."""
    async with closing(pieces):
        first = await anext(pieces, b"")
        response = await begin(request, content_type, headers)
        if first:
            await response.write(first)
        async for piece in pieces:
            await response.write(piece)
    return response


def closing(values: AsyncIterator[Any]) -> Any:
    """Ends the generator when the client goes away, so that what it holds is let go now and not at some collection."""
    return aclosing(values) if hasattr(values, "aclose") else _Nothing()


class _Nothing:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *exc: object) -> None: ...
