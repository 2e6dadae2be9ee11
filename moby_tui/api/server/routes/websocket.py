"""Attach over a WebSocket (RFC 6455): what a client that cannot take a connection over has instead."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from moby_tui.api.operations.containers import ATTACHING
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import AttachOptions
from moby_tui.schema.stream import Stream

table = RouteTable()

#: Bytes of one message of a client's.
_LARGEST = 1 << 20


@table.get("/containers/{ref:.+}/attach/ws", *ATTACHING, status=101, errors=(404, 409))
async def attach(call: Call) -> web.StreamResponse:
    """Joins input and output of a container's first process over a WebSocket.

    Output comes in binary messages, that of standard output and error alike, as from dockerd; input is what the client's say."""
    arguments = call.read().items()
    options = AttachOptions(**{name.partition(".")[2]: value for name, value in arguments if name.startswith("options.")})
    if call.version < (1, 42):
        options.stdin = options.stdout = options.stderr = True
    stream = await call.client.containers.attach(call.ref, options)
    try:
        if call.request.headers.get("Upgrade", "").lower() != "websocket":
            raise InvalidArgument("this is a WebSocket: ask with `Upgrade: websocket`, or attach without /ws")
        client = web.WebSocketResponse(max_msg_size=_LARGEST, compress=False)
        await client.prepare(call.request)
        await _join(client, stream, stdin=options.stdin)
    finally:
        stream.close()
    return client


async def _join(client: web.WebSocketResponse, stream: Stream, *, stdin: bool) -> None:
    """Until the process's output ends, or the client goes."""
    reading = asyncio.ensure_future(_carry_input(client, stream, stdin=stdin))
    writing = asyncio.ensure_future(_carry_output(client, stream))
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        await client.close()


async def _carry_output(client: web.WebSocketResponse, stream: Stream) -> None:
    async for _, data in stream.output():
        await client.send_bytes(data)


async def _carry_input(client: web.WebSocketResponse, stream: Stream, *, stdin: bool) -> None:
    """Returns when the client closes, or breaks off; what it says where there is no input is dropped."""
    async for message in client:
        if stdin and message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data = message.data
            await stream.write(data.encode() if isinstance(data, str) else data)
