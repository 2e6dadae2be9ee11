"""Networks: what is there."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server.answers import json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable

table = RouteTable()

_FILTERS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})


@table.get("/networks")
@table.get("/networks/")
async def list_(call: Call) -> web.StreamResponse:
    return json(await call.client.networks.list(filters=call.query.filters(_FILTERS)))


@table.get("/networks/{ref:.+}")
async def inspect(call: Call) -> web.StreamResponse:
    return json(await call.client.networks.inspect(call.ref))
