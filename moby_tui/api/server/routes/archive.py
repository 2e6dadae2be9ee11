"""Files in and out of containers: ``docker cp`` and ``docker export``; and, ours, of volumes."""

from __future__ import annotations

import base64
from collections.abc import Callable

from aiohttp import web

from moby_tui.api.client.protocol import Archives, Client
from moby_tui.api.server.answers import empty, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import encode
from moby_tui.schema.container import PathStat

table = RouteTable()

TAR = "application/x-tar"


def _path(call: Call) -> str:
    path = call.query.path("path")
    if not path:
        raise InvalidArgument("bad parameter: the query parameter 'path' is required")
    return path


def _stat_header(stat: PathStat) -> dict[str, str]:
    return {"X-Docker-Container-Path-Stat": base64.b64encode(encode(stat)).decode()}


def _serve(at: str, archives: Callable[[Client], Archives]) -> None:
    """The three operations on files of what ``at`` names."""

    @table.head(at)
    async def stat(call: Call) -> web.StreamResponse:
        response = empty(200)
        response.headers.update(_stat_header(await archives(call.client).archive_stat(call.ref, _path(call))))
        return response

    @table.get(at)
    async def get(call: Call) -> web.StreamResponse:
        stat, pieces = await archives(call.client).archive_get(call.ref, _path(call))
        return await raw(call.request, pieces, content_type=TAR, headers=_stat_header(stat))

    @table.put(at)
    async def put(call: Call) -> web.StreamResponse:
        await archives(call.client).archive_put(
            call.ref,
            _path(call),
            call.request.content.iter_any(),
            no_overwrite_dir_non_dir=call.query.flag("noOverwriteDirNonDir"),
            copy_uid_gid=call.query.flag("copyUIDGID"),
        )
        return empty(200)


_serve("/containers/{ref}/archive", lambda client: client.containers)
_serve("/moby/volumes/{ref}/archive", lambda client: client.volumes)


@table.get("/containers/{ref}/export")
async def export(call: Call) -> web.StreamResponse:
    return await raw(call.request, call.client.containers.export(call.ref), content_type="application/octet-stream")
