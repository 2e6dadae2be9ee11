"""A client's SSH agents: moby.sshforward.v1.

Each connection to a socket of ours is a call ForwardAgent. Which requests of a RUN step reach the agent is decided where the step's own
socket is served (``builder/execution/agents.py``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from grpclib.client import Stream

from moby_tui.api.buildkit.grpc.client import Method, end
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.ssh_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse
from moby_tui.engine.kernel import unix_socket
from moby_tui.errors import MobyError, NotFound, Unavailable

_CHECK = Method("/moby.sshforward.v1.SSH/CheckAgent", CheckAgentRequest, CheckAgentResponse)
_FORWARD = Method("/moby.sshforward.v1.SSH/ForwardAgent", BytesMessage, BytesMessage, streaming=True)
_ID = "buildkit.ssh.id"
_CHUNK = 32 << 10


async def check(client: Caller, ident: str) -> None:
    """Raises ``NotFound`` with the client's text if the client has no such agent, ``Unavailable`` if it is gone."""
    try:
        await client.call(_CHECK, CheckAgentRequest(ID=ident))
    except Unavailable:
        raise
    except MobyError as error:
        # BuildKit's client gives no status of its own for an id that it does not know
        raise NotFound(error.message) from error


@asynccontextmanager
async def opened(client: Caller, ident: str, folder: Path) -> AsyncIterator[str]:
    """The path of a socket of the client's agent, until the end of the block. Only root reads ``folder``. Raises as ``check`` does."""
    await check(client, ident)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / f"client-{os.urandom(4).hex()}"
    tasks = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            # cancelled with the block: asyncio would report it as an error of the connection
            with suppress(OSError, MobyError, asyncio.CancelledError):
                async with client.stream(_FORWARD, {_ID: ident}) as stream:
                    await _carry(stream, reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(serve, sock=unix_socket.listen(str(place)))
    try:
        place.chmod(0o600)
        yield str(place)
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        place.unlink(missing_ok=True)


async def _carry(stream: Stream[BytesMessage, BytesMessage], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carries bytes both ways until the agent's side ends, or ours has."""
    await stream.send_request()
    answering = asyncio.create_task(_answer(stream, writer))
    try:
        while data := await reader.read(_CHUNK):
            await stream.send_message(BytesMessage(data=data))
        await end(stream)
        await answering
    finally:
        answering.cancel()
        await asyncio.wait([answering])


async def _answer(stream: Stream[BytesMessage, BytesMessage], writer: asyncio.StreamWriter) -> None:
    try:
        async for message in stream:
            writer.write(message.data)
            await writer.drain()
    finally:
        # our reader of the same connection sees the end
        writer.close()
