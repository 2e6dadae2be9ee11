"""Volumes."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.operations.volumes import Volumes
from moby_tui.api.server.answers import json
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.api.server.routes.archive import serve_archives

table = RouteTable(Volumes, plain)
serve_archives(table, Volumes, lambda client: client.volumes)


@table.handles(Volumes.prune)
async def prune(call: Call) -> web.StreamResponse:
    filters = call.read()["filters"]
    if call.version < (1, 42):  # older clients mean every unused volume
        filters.setdefault("all", ["true"])
    return json(await call.client.volumes.prune(filters=filters))
