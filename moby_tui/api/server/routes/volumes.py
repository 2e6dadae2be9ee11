"""Volumes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from moby_tui.api.server.answers import empty, json, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.schema.base import encode
from moby_tui.schema.volume import VolumeCreate, VolumeFile

table = RouteTable()

_FILTERS = frozenset({"dangling", "driver", "label", "name"})
_PRUNE_FILTERS = frozenset({"all", "label", "label!"})


@table.get("/volumes")
async def list_(call: Call) -> web.StreamResponse:
    return json(await call.client.volumes.listed(filters=call.query.filters(_FILTERS)))


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


# Ours, not Docker's


@table.post("/moby/volumes/{ref}/rename")
async def rename(call: Call) -> web.StreamResponse:
    await call.client.volumes.rename(call.ref, call.query.text("name"))
    return empty()


@table.post("/moby/volumes/{ref}/clone", abandoned=True)
async def clone(call: Call) -> web.StreamResponse:
    return json(await call.client.volumes.clone(call.ref, call.query.text("name")), 201)


@table.get("/moby/volumes/{ref}/files")
async def files(call: Call) -> web.StreamResponse:
    lines = _lines(call.client.volumes.files(call.ref, call.query.path("path") or "/"))
    return await raw(call.request, lines, content_type="application/x-ndjson")


async def _lines(found: AsyncIterator[VolumeFile]) -> AsyncIterator[bytes]:
    async for file in found:
        yield encode(file) + b"\n"
