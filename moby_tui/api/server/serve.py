"""Running the API server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from moby_tui.api.client.encrypted import Encrypted
from moby_tui.api.client.protocol import Client
from moby_tui.api.client.tls import Tls
from moby_tui.api.server.app import App, Authorize, make_app
from moby_tui.api.server.listen import BACKLOG, Listener, listen

log = logging.getLogger(__name__)

#: Seconds that changes under way get to finish.
GRACE = 15.0
#: How many connections asyncio accepts in one step of its loop. Where no descriptor is left it fails as often in that step, and plans a
#: try in a second for each failure.
_ACCEPTS = 16
#: Between two complaints about the same.
_QUIET_SECONDS = 60.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Ready = Callable[[list[Listener]], None]


async def serve(
    client: Client,
    hosts: list[str],
    ready: Ready | None = None,
    *,
    authorize: Authorize | None = None,
    group: int | None = None,
    names: Collection[str] = (),
    reload: Callable[[], None] | None = None,
    tls: Tls | None = None,
) -> None:
    """Answers on every host until SIGTERM or SIGINT; the containers live on. SIGHUP calls ``reload``.

    ``ready`` is called once all sockets listen; ``group`` is the one that unix sockets are given to; ``names`` are those that TCP
    sockets may be called by, beside their addresses; ``tls`` is spoken on those.
    Raises what ``listen`` raises, having served nothing.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_Unhandled())
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    if reload:
        loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        async with serving(client, hosts, authorize=authorize, group=group, names=names, tls=tls) as listeners:
            if ready:
                ready(listeners)
            await stop.wait()
    finally:
        for number in (*_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def serving(
    client: Client,
    hosts: list[str],
    *,
    authorize: Authorize | None = None,
    group: int | None = None,
    names: Collection[str] = (),
    tls: Tls | None = None,
) -> AsyncIterator[list[Listener]]:
    """Answers on every host while the block runs; leaving it ends endless answers at once and lets changes finish."""
    listeners: list[Listener] = []
    try:
        for host in hosts:
            listeners += listen(host, group=group, tls=tls)
        for listener in listeners:
            if listener.warning:
                log.warning(listener.warning)
        app = make_app(client, authorize, names)
        loop = asyncio.get_running_loop()
        # asyncio takes one number for how many may wait and how many it accepts at once; the first is set anew
        servers = [
            await loop.create_server(_protocols(app, listener), sock=listener.socket, backlog=_ACCEPTS) for listener in listeners
        ]
        for listener in listeners:
            listener.socket.listen(BACKLOG)
        try:
            yield listeners
        finally:
            for listener in listeners:
                listener.withdraw()
            await _stop(app, servers)
    finally:
        for listener in listeners:
            listener.close()


@contextlib.asynccontextmanager
async def serving_privately(client: Client) -> AsyncIterator[str]:
    """Answers while the block runs on a unix socket of its own, in a folder that only this user enters; gives the socket's path."""
    with tempfile.TemporaryDirectory(prefix="moby-") as folder:
        path = f"{folder}/socket"
        async with serving(client, [f"unix://{path}"]):
            yield path


def _protocols(app: App, listener: Listener) -> Callable[[], asyncio.BaseProtocol]:
    """What makes the protocol of each connection."""
    context = listener.tls
    return app if context is None else lambda: Encrypted(context, app())


class _Unhandled:
    """What the loop has nobody to tell: logged, and once for all connections that had to wait because no descriptor was left."""

    def __init__(self) -> None:
        self._told = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if _is_late_try(error, context["message"]):
            return
        if not (isinstance(error, OSError) and "accept" in context["message"]):
            loop.default_exception_handler(context)
        elif loop.time() > self._told + _QUIET_SECONDS:
            self._told = loop.time()
            log.warning("connections wait to be accepted: %s; raise ulimit -n", (error.strerror or str(error)).lower())


def _is_late_try(error: object, message: str) -> bool:
    """Whether asyncio, which had no descriptor left, tries to accept again on a socket that we have closed: it cannot be told not to."""
    return isinstance(error, ValueError) and "_start_serving" in message


async def _stop(app: App, servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    app.pre_shutdown()
    app.end_streams()
    await app.finish_changes(GRACE)
    await app.shutdown(1.0)
