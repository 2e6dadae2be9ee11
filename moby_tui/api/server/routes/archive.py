"""Files of containers, images and volumes: what ``docker cp`` reads."""

from __future__ import annotations

import base64
from collections.abc import Callable

from aiohttp import web

from moby_tui.api.client.protocol import Client, Readable
from moby_tui.api.operations.containers import Containers
from moby_tui.api.operations.images import Images
from moby_tui.api.operations.operation import TAR
from moby_tui.api.operations.volumes import Volumes
from moby_tui.api.server.answers import empty, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.schema.base import encode
from moby_tui.schema.container import PathStat


def _stat_header(stat: PathStat) -> dict[str, str]:
    return {"X-Docker-Container-Path-Stat": base64.b64encode(encode(stat)).decode()}


def serve_archives(
    table: RouteTable, family: type[Containers | Images | Volumes], archives: Callable[[Client], Readable]
) -> None:
    """The two that tell of a path in a header."""

    @table.handles(family.archive_stat)
    async def stat(call: Call) -> web.StreamResponse:
        response = empty(200)
        response.headers.update(_stat_header(await call.binding.call(archives(call.client).archive_stat, call.read())))
        return response

    @table.handles(family.archive_get)
    async def get(call: Call) -> web.StreamResponse:
        stat, pieces = await call.binding.call(archives(call.client).archive_get, call.read())
        return await raw(call.request, pieces, content_type=TAR, headers=_stat_header(stat))
