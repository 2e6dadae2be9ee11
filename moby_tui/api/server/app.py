"""The Docker Engine API over a ``Client``: decode, call, encode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import HttpVersion11, web

from moby_tui.api.client.protocol import Client
from moby_tui.api.server import decode, errors, origin, router, versions
from moby_tui.api.server.answers import elsewhere, empty
from moby_tui.api.server.call import Call, Peer, peer_of
from moby_tui.api.server.connection import Connection
from moby_tui.api.server.parser import Heads
from moby_tui.api.server.router import Route, Router
from moby_tui.api.server.routes import ROUTES
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.buildkit.daemon import BuildDaemon

#: Raises ``Forbidden`` for a caller that may not use the engine.
Authorize = Callable[[Peer], None]


class App(web.Server):
    """All connections of one API server."""

    def __init__(self, client: Client, authorize: Authorize | None = None, names: Collection[str] = ()) -> None:
        """``names`` are those that clients over TCP may call it by, beside its address."""
        super().__init__(self._answer, handler_cancellation=True, access_log=None)
        self._names = names
        self._client = client
        self._authorize = authorize
        self._router = Router(ROUTES)
        self._heads = Heads(self._loop)
        self._running: set[asyncio.Task[web.StreamResponse]] = set()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._builds: BuildDaemon | None = None

    def __call__(self) -> Connection:
        return Connection(self, self._heads, loop=self._loop, **self._kwargs)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            if request.writer.output_size > 0:  # the status is sent: a broken end is all that can be said now
                errors.log.warning("answer to %s broke off: %s", request.rel_url.path, error)
                raise ConnectionResetError(str(error)) from error
            return errors.answer(error)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        origin.check(request, self._names)
        if self._authorize and (peer := peer_of(request)):
            self._authorize(peer)
        if request.method == "OPTIONS":
            return empty(200)
        raw_path = unquote(request.rel_url.raw_path)
        if (cleaned := router.cleaned(raw_path)) != raw_path:
            return elsewhere(cleaned, request.rel_url.raw_query_string)
        text, path = versions.split(raw_path)
        match = self._router.find(request.method, path)
        if match is None:
            raise errors.PageNotFound
        route, params = match
        version = versions.accept(text)
        if version < route.since:
            raise InvalidArgument(f"{request.method} {path} requires minimum API version {route.since[0]}.{route.since[1]}")
        await _expect(request)
        query = decode.Query(request.rel_url.query, request.rel_url.raw_query_string)
        call = Call(request, version, params, query, self._client, route.binding, self._build_daemon)
        return await self._run(route, call)

    async def _run(self, route: Route, call: Call) -> web.StreamResponse:
        """A client that goes away ends what only it was waiting for, never half of a change."""
        if route.operation.lasting:
            _last(call.request)
        if route.operation.abandoned:
            return await self._until_abandoned(route.handler(call))
        task = asyncio.get_running_loop().create_task(_result(route, call))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _until_abandoned(self, answer: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        """Awaits an answer in the task of its request, which aiohttp cancels when the client goes away, and ``end_streams`` too."""
        task = asyncio.current_task()
        assert task is not None
        self._abandoned.add(task)
        try:
            return await answer
        except asyncio.CancelledError:
            if self._closing:
                task.uncancel()
                raise ConnectionResetError("the server is shutting down") from None
            raise
        finally:
            self._abandoned.discard(task)

    def _build_daemon(self) -> BuildDaemon:
        """Made, and its modules imported, for the first client that asks for it."""
        if self._builds is None:
            from moby_tui.api.buildkit.daemon import BuildDaemon

            self._builds = BuildDaemon(self._client)
        return self._builds

    def end_streams(self) -> None:
        """Ends the answers that would never end by themselves: events, logs, stats, attachments."""
        self._closing = True
        for task in self._abandoned:
            task.cancel()

    async def finish_changes(self, timeout: float) -> None:
        """Waits for the changes under way, also those whose client has gone; no longer than ``timeout`` seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)


async def _result(route: Route, call: Call) -> web.StreamResponse:
    return await route.handler(call)


def _last(request: web.BaseRequest) -> None:
    """Marks the connection of a ``lasting`` answer. Raises ``ConnectionResetError`` where its client seems to have gone already."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    connection.lasting = True
    if connection.half_closed and connection.over_tcp:
        raise ConnectionResetError("the client has gone")


async def _expect(request: web.BaseRequest) -> None:
    """Answers the header ``Expect``: 100 for ``100-continue``, else it raises 417 (RFC 9110, section 10.1.1)."""
    expected = request.headers.get("Expect", "")
    if not expected or request.version < HttpVersion11:
        return
    if expected.lower() != "100-continue":
        raise web.HTTPExpectationFailed(text=f"Unknown Expect: {expected[:80]}")
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def make_app(client: Client, authorize: Authorize | None = None, names: Collection[str] = ()) -> App:
    """The server of one engine; call it in the loop that will run it."""
    return App(client, authorize, names)
