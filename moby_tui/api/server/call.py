"""One request on its way through a handler."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from aiohttp import web

from moby_tui.api.client.protocol import Client
from moby_tui.api.server import decode
from moby_tui.api.server.versions import ApiVersion

if TYPE_CHECKING:
    from moby_tui.api.buildkit.daemon import BuildDaemon

T = TypeVar("T")
_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """The process at the other end of a unix socket, as the kernel vouches for it (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Call:
    """``params`` are the variables of the path, decoded. ``build_daemon`` is what the server has for clients of BuildKit's protocols."""

    client: Client
    request: web.BaseRequest
    version: ApiVersion
    params: dict[str, str]
    query: decode.Query
    build_daemon: Callable[[], BuildDaemon]

    @property
    def ref(self) -> str:
        """What the path names: a container, an image, ..."""
        return self.params["ref"]

    async def body(self, kind: type[T]) -> T:
        return await decode.json_body(self.request, kind)


def peer_of(request: web.BaseRequest) -> Peer | None:
    """None for a caller over TCP."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    return Peer(*_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
