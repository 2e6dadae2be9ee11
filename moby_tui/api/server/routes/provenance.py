"""Ours, not Docker's: what is in an image, and who made it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from moby_tui.api.server.answers import json, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.decode import registry_auth
from moby_tui.api.server.router import RouteTable
from moby_tui.schema.base import encode
from moby_tui.schema.exploration import FileChange
from moby_tui.schema.provenance import VerifyOptions

table = RouteTable()
_LINES = "application/x-ndjson"


@table.get("/moby/images/{ref:.*}/explore")
async def explore(call: Call) -> web.StreamResponse:
    return json(await call.client.images.explore(call.ref))


@table.get("/moby/images/{ref:.*}/files")
async def files(call: Call) -> web.StreamResponse:
    layer = call.query.integer("layer") if "layer" in call.query else None
    # a refusal has a status of its own only before the first line
    return await raw(call.request, _lines(call.client.images.layer_files(call.ref, layer=layer)), content_type=_LINES)


@table.post("/moby/images/{ref:.*}/verify", abandoned=True)
async def verify(call: Call) -> web.StreamResponse:
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    return json(await call.client.images.verify(call.ref, await call.body(VerifyOptions), auth=auth))


@table.get("/moby/images/{ref:.*}/attestations")
async def attestations(call: Call) -> web.StreamResponse:
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    statements, kind = call.query.flag("statements"), call.query.text("type")
    return json(await call.client.images.attestations(call.ref, statements=statements, predicate_type=kind, auth=auth))


async def _lines(changes: AsyncIterator[FileChange]) -> AsyncIterator[bytes]:
    async for change in changes:
        yield encode(change) + b"\n"
