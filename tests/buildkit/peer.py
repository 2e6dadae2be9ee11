"""A build client in Python: its end of ``POST /grpc`` and of ``POST /session``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from google.protobuf.descriptor import ServiceDescriptor

from moby_tui.api.buildkit.daemon import BuildDaemon
from moby_tui.api.buildkit.grpc.client import Channel
from moby_tui.api.buildkit.grpc.server import Procedures, server
from moby_tui.api.buildkit.session.session import Session
from moby_tui.api.server.app import App


class Daemon:
    """A server of the API and its socket."""

    def __init__(self, app: App, path: Path) -> None:
        self.app = app
        self.path = path

    @property
    def builds(self) -> BuildDaemon:
        return self.app._build_daemon()

    async def switched(self, path: str, *headers: str, protocol: str = "h2c") -> tuple[bytes, socket.socket]:
        """The head of the answer to a request for an upgrade, and the connection."""
        loop = asyncio.get_running_loop()
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        await loop.sock_connect(connection, str(self.path))
        lines = (f"POST {path} HTTP/1.1", "Host: docker", "Connection: Upgrade", f"Upgrade: {protocol}", *headers, "", "")
        await loop.sock_sendall(connection, "\r\n".join(lines).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n") and (data := await loop.sock_recv(connection, 1)):
            head += data
        return head, connection

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Channel]:
        """A client of the daemon's services."""
        head, connection = await self.switched("/grpc")
        assert head.startswith(b"HTTP/1.1 101 "), head
        channel = Channel()
        await asyncio.get_running_loop().create_connection(lambda: channel.protocol, sock=connection)
        try:
            yield channel
        finally:
            channel.close()
            await channel.protocol.closed

    @asynccontextmanager
    async def session(
        self,
        services: Mapping[ServiceDescriptor, object],
        ident: str = "one",
        *,
        shared_key: str = "",
        more: tuple[str, ...] = (),
    ) -> AsyncIterator[Session]:
        """The daemon's end of a session, in which the client offers ``services``."""
        async with self.offered(services, ident, shared_key=shared_key, more=more):
            yield await self.builds.sessions.get(ident)

    @asynccontextmanager
    async def offered(
        self,
        services: Mapping[ServiceDescriptor, object],
        ident: str = "one",
        *,
        shared_key: str = "",
        more: tuple[str, ...] = (),
    ) -> AsyncIterator[None]:
        """A session in which the client offers ``services``."""
        prefix = "X-Docker-Expose-Session-"
        methods = [f"/{service.full_name}/{method.name}" for service in services for method in service.methods]
        headers = [f"{prefix}Uuid: {ident}", f"{prefix}Sharedkey: {shared_key}", *more]
        head, connection = await self.switched("/session", *headers, *(f"{prefix}Grpc-Method: {method}" for method in methods))
        assert head.startswith(b"HTTP/1.1 101 "), head
        protocol = server(Procedures(services))
        await asyncio.get_running_loop().create_connection(lambda: protocol, sock=connection)
        try:
            yield
        finally:
            protocol.close("the test is over")
            await protocol.closed


class Elsewhere(Daemon):
    """The socket of an engine in another process."""

    def __init__(self, path: Path) -> None:
        self.path = path
