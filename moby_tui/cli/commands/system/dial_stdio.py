"""``system dial-stdio``: the engine's API on standard input and output. What ``ssh://`` hosts run at the far end."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from moby_tui.api.client.address import Address, parse_host
from moby_tui.api.client.transport import open_connection
from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.declare import Options

_SOCKET = "/run/moby.sock"
_PIECE = 256 * 1024
_IN, _OUT = 0, 1


def dial_stdio(options: Options) -> None:
    """``moby system dial-stdio``."""
    host, tls = session.current().chosen()
    if host:
        asyncio.run(_proxy(parse_host(host, tls)))
    elif os.path.exists(_SOCKET) and session.current().engine_options().data_root is None:
        asyncio.run(_proxy(Address(path=_SOCKET)))
    else:
        session.call(_answer)


async def _answer(client: Client) -> None:
    """The engine in this process answers for as long as the connection lasts."""
    from moby_tui.api.server.serve import serving_privately

    async with serving_privately(client) as path:
        await _proxy(Address(path=path))


async def _proxy(address: Address) -> None:
    """Until the engine closes. The end of standard input is passed on, and its answers are waited for. Raises ``Unavailable``."""
    reader, writer, _ = await open_connection(address)
    loop = asyncio.get_running_loop()

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    def send_input() -> None:
        with suppress(OSError, RuntimeError):  # the loop may be over
            while data := os.read(_IN, _PIECE):
                asyncio.run_coroutine_threadsafe(send(data), loop).result()
            loop.call_soon_threadsafe(writer.write_eof)

    # no thread of an executor, whose end the loop's end would wait for
    threading.Thread(target=send_input, daemon=True).start()
    try:
        while data := await reader.read(_PIECE):
            while data:
                data = data[os.write(_OUT, data) :]
    finally:
        writer.close()
