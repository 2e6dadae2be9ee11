"""Frontends that are images: their program is a relay, so that a test says what a frontend says.

The image's program connects to the test, which listens in the network of the engine: once to tell of its surroundings, then with its
standard input and output, on which the frontend speaks gRPC.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from grpclib.exceptions import GRPCError, StreamTerminatedError

from buildkit.client import Client
from buildkit.peer import Daemon
from buildkit.recorded.graphs import Graph, GraphClient
from moby_tui.api.buildkit.grpc.client import Channel, Method
from moby_tui.api.buildkit.wire import control_pb2, gateway_pb2
from moby_tui.api.buildkit.wire import ops_pb2 as pb

#: What a frontend's program does in place of its own work, by the option ``does``.
RELAY = """#!/bin/sh
option() { env | sed -n "s/^BUILDKIT_FRONTEND_OPT_[0-9]*=$1=//p"; }
there=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
case $(option does) in
    garbage) head -c 100000 /dev/urandom; sleep 100;;
    text) echo hello; exit 0;;
    dies) echo "a last word" >&2; exit 3;;
    silent) exit 0;;
esac
tell() { env; echo; id -u; pwd; od -An -v -tx1 /run/config/buildkit/metadata/frontend.bin; touch /written && echo written; }
tell | nc "$there" "$(option port)"
nc "$there" "$(option port)"
[ "$(option after)" ] && sleep 100
code=$(option exit)
exit ${code:-0}
"""
CAPABILITIES = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts,moby.buildkit.frontend.subrequests"


DOCKERFILE = """FROM busybox
COPY --chmod=755 relay /relay
ENV OWN=x PATH=/bin
WORKDIR /bin
USER 7
ENTRYPOINT ["/relay", "said"]
CMD ["no"]
"""


async def put_image(daemon: Daemon, folder: Path, name: str, *labels: str) -> None:
    """Makes the image of a frontend. ``folder`` is a new one."""
    client = Client(daemon, folder)
    # dockerd takes a session of a name that it knows for the same one
    client.number = int.from_bytes(os.urandom(4))
    lines = [f"LABEL {label}\n" for label in labels or (f"moby.buildkit.frontend.caps={CAPABILITIES}",)]
    client.write(relay=RELAY, Dockerfile=DOCKERFILE + "".join(lines))
    await client.build(Ref=f"image-{os.urandom(4).hex()}", Exporters=[control_pb2.Exporter(Type="moby", Attrs={"name": name})])


class Frontend:
    """The calls of a frontend. ``surroundings`` is what its program has said of itself."""

    def __init__(self, channel: Channel, surroundings: str) -> None:
        self.channel = channel
        self.surroundings = surroundings

    async def call(self, name: str, **fields: Any) -> Any:
        """An answer. Raises ``GRPCError``."""
        request, _ = _messages(name)
        return await self.channel.call(method(name), request(**fields) if fields else request())

    async def failure(self, name: str, **fields: Any) -> str:
        """The error of a call."""
        try:
            await self.call(name, **fields)
        except GRPCError as error:
            return f"{error.status.name}: {error.message}"
        return "no error"

    async def solve(self, make: Callable[[Graph], Any] | None = None, **fields: Any) -> gateway_pb2.Result:
        if make is not None:
            graph = Graph()
            fields["Definition"] = graph.definition(make(graph))
        answer = await self.call("Solve", **{"allowResultReturn": True, "allowResultArrayRef": True, **fields})
        result: gateway_pb2.Result = answer.result
        return result

    async def give(self, result: gateway_pb2.Result | None = None, **fields: Any) -> None:
        await self.call("Return", result=result or gateway_pb2.Result(**fields))

    @asynccontextmanager
    async def processes(self) -> AsyncIterator[Any]:
        async with self.channel.open(method("ExecProcess")) as stream:
            yield stream


def _messages(name: str) -> tuple[type[Message], type[Message]]:
    [procedure] = [each for each in _BRIDGE.methods if each.name == name]
    return getattr(gateway_pb2, procedure.input_type.name), getattr(gateway_pb2, procedure.output_type.name)


_BRIDGE = gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]


def method(name: str) -> Method[Any, Any]:
    request, answer = _messages(name)
    return Method(f"/{_BRIDGE.full_name}/{name}", request, answer, streaming=name == "ExecProcess")


Act = Callable[[Frontend], Awaitable[Any]]


async def built(
    client: GraphClient,
    act: Act,
    options: dict[str, str] | None = None,
    *,
    source: str = "front",
    frontend: str = "gateway.v0",
    **request: Any,
) -> tuple[Any, dict[str, str] | str]:
    """A build by a frontend that does what ``act`` does: what that returned, and the exporters' answer or the error."""
    ref = f"front-{os.urandom(4).hex()}"
    client.target.data = None
    with socket.create_server(("", 0), family=socket.AF_INET) as listener:
        listener.setblocking(False)
        asked = {"source": source, "port": str(listener.getsockname()[1])} | (options or {})
        if frontend == "dockerfile.v0":
            del asked["source"]
        acting = asyncio.create_task(acted(listener, act))
        try:
            fields = {"Frontend": frontend, "FrontendAttrs": asked, "Exporters": [control_pb2.Exporter(Type="tar")], **request}
            answer: dict[str, str] | str = await client.solve(ref, pb.Definition(), **fields)
        except GRPCError as error:
            answer = error.message or ""
        if not acting.done():
            acting.cancel()
        await asyncio.wait([acting])
        return (None if acting.cancelled() else acting.result()), answer


async def acted(listener: socket.socket, act: Act) -> Any:
    """Is the frontend of one connection."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    said = b""
    while piece := await loop.sock_recv(connection, 65536):
        said += piece
    connection.close()
    connection, _ = await loop.sock_accept(listener)
    channel = Channel()
    await loop.create_connection(lambda: channel.protocol, sock=connection)
    try:
        return await act(Frontend(channel, said.decode()))
    except StreamTerminatedError as error:
        return f"ended: {error}"
    finally:
        channel.close()
        await channel.protocol.closed
