"""Volumes."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server.answers import empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.schema.volume import VolumeCreate, VolumeList

table = RouteTable()

_FILTERS = frozenset({"dangling", "driver", "label", "name"})
_PRUNE_FILTERS = frozenset({"all", "label", "label!"})


@table.get("/volumes")
async def list_(call: Call) -> web.StreamResponse:
    return json(VolumeList(volumes=await call.client.volumes.list(filters=call.query.filters(_FILTERS))))


@table.post("/volumes/create")
async def create(call: Call) -> web.StreamResponse:
    return json(await call.client.volumes.create(await call.body(VolumeCreate)), 201)


@table.post("/volumes/prune", since="1.25")
async def prune(call: Call) -> web.StreamResponse:
    filters = call.query.filters(_PRUNE_FILTERS)
    if call.version < (1, 42):  # older clients mean every unused volume
        filters.setdefault("all", ["true"])
    return json(await call.client.volumes.prune(filters=filters))


@table.get("/volumes/{ref}")
async def inspect(call: Call) -> web.StreamResponse:
    return json(await call.client.volumes.inspect(call.ref))


@table.delete("/volumes/{ref}")
async def remove(call: Call) -> web.StreamResponse:
    await call.client.volumes.remove(call.ref, force=call.query.flag("force"))
    return empty()
