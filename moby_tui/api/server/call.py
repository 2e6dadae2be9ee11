"""One request on its way through a handler."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from moby_tui.api.client.protocol import Client
from moby_tui.api.server.binding import Binding, Received

if TYPE_CHECKING:
    from moby_tui.api.buildkit.daemon import BuildDaemon

_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """The process at the other end of a unix socket, as the kernel vouches for it (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int


@dataclass(slots=True)
class Call(Received):
    """A request with the engine that answers it, and how its operation's arguments are read.

    ``build_daemon`` is what the server has for clients of BuildKit's protocols.
    """

    client: Client
    binding: Binding
    build_daemon: Callable[[], BuildDaemon]

    @property
    def ref(self) -> str:
        """What the path names: a container, an image, ..."""
        return self.params["ref"]

    def read(self) -> dict[str, Any]:
        """What path, query and headers say, by the names of the operation's parameters. Raises ``InvalidArgument``."""
        return self.binding.read(self)

    async def arguments(self) -> dict[str, Any]:
        """The same with the body."""
        return await self.binding.arguments(self)


def peer_of(request: web.BaseRequest) -> Peer | None:
    """None for a caller over TCP."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    return Peer(*_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
