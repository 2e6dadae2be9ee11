"""BuildKit's protocols: the connection leaves HTTP for gRPC, which ``api/buildkit`` speaks (imported with the first such client)."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server.call import Call
from moby_tui.api.server.hijack import Hijacked, check_upgrade, switch
from moby_tui.api.server.router import RouteTable

table = RouteTable()
#: HTTP/2 without TLS of its own (RFC 7540, 3.2; the client's first bytes are HTTP/2's preface).
_PROTOCOL = "h2c"


@table.post("/grpc", abandoned=True, status=101)
async def grpc(call: Call) -> web.StreamResponse:
    """Hands the connection over to the build services, which the client calls by gRPC."""
    check_upgrade(call.request, _PROTOCOL)
    protocol = call.build_daemon().server()
    switch(call.request, _PROTOCOL, protocol)
    await protocol.serve()
    return Hijacked()


@table.post("/session", abandoned=True, status=101)
async def session(call: Call) -> web.StreamResponse:
    """The client offers its files, secrets and logins: it is the server of this connection."""
    check_upgrade(call.request, _PROTOCOL)
    from moby_tui.api.buildkit.grpc.client import Channel
    from moby_tui.api.buildkit.session import opening

    daemon = call.build_daemon()
    opened = opening.read(call.request.headers)
    daemon.sessions.check_free(opened.id)
    channel = Channel()
    switch(call.request, _PROTOCOL, channel.protocol)
    await daemon.hold(opened, channel)
    return Hijacked()
