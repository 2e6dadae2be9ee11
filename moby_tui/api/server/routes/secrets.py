"""Secrets of plain containers: ours, not Docker's, whose ``/secrets`` are a swarm's."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server.answers import empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.schema.secret import SecretCreate

table = RouteTable()

_FILTERS = frozenset({"id", "label", "name"})


@table.get("/moby/secrets")
async def list_(call: Call) -> web.StreamResponse:
    return json(await call.client.secrets.list(filters=call.query.filters(_FILTERS)))


@table.post("/moby/secrets/create")
async def create(call: Call) -> web.StreamResponse:
    return json(await call.client.secrets.create(await call.body(SecretCreate)), 201)


@table.get("/moby/secrets/{ref}")
async def inspect(call: Call) -> web.StreamResponse:
    return json(await call.client.secrets.inspect(call.ref))


@table.delete("/moby/secrets/{ref}")
async def remove(call: Call) -> web.StreamResponse:
    await call.client.secrets.remove(call.ref)
    return empty()
