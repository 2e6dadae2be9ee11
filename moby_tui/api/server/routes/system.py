"""Ping, version, info, disk use, events."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.operations.system import Events, System
from moby_tui.api.server import decode, shims
from moby_tui.api.server.answers import json, lines
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.api.server.versions import HEADERS
from moby_tui.errors import InvalidArgument
from moby_tui.schema.image import RegistryAuth

table = RouteTable(System, plain)
feed = RouteTable(Events, plain)
table.shapes(System.info, shims.info)
table.shapes(System.version, shims.engine_version)

_PING_HEADERS = {
    "Builder-Version": "2",
    # what one of ours may ask for that is not in the Docker Engine API
    "Moby-Features": "build-parts",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}
#: What /events may answer as, and how a line then begins (RFC 7464 for json-seq).
_EVENT_TYPES = {"application/jsonl": b"", "application/x-ndjson": b"", "application/json-seq": b"\x1e"}


@table.handles(System.ping)
async def ping(call: Call) -> web.StreamResponse:
    await call.client.system.ping()
    return web.Response(text="OK", headers=HEADERS | _PING_HEADERS)


@table.head("/_ping")
async def ping_head(call: Call) -> web.StreamResponse:
    """As ``GET /_ping``, with the headers alone."""
    await call.client.system.ping()
    return web.Response(headers=HEADERS | _PING_HEADERS)


@table.handles(System.login)
async def login(call: Call) -> web.StreamResponse:
    """Of a body of any Content-Type, as with dockerd."""
    return json(await call.client.system.login(await decode.json_body(call.request, RegistryAuth, of_any_type=True)))


@table.handles(System.disk_usage)
async def disk_usage(call: Call) -> web.StreamResponse:
    arguments = call.read()
    usage = await call.client.system.disk_usage()
    # before 1.42 there was no choice
    wanted = arguments["type"] if call.version >= (1, 42) else ()
    kinds = wanted or [*shims.DISK_USERS]
    if unknown := set(kinds) - shims.DISK_USERS.keys():
        raise InvalidArgument(f"unknown object type: {unknown.pop()}")
    if wanted:
        usage.containers = usage.containers if "container" in kinds else []
        if "image" not in kinds:
            usage.images, usage.layers_size = [], 0
        usage.volumes = usage.volumes if "volume" in kinds else []
        usage.build_cache = usage.build_cache if "build-cache" in kinds else []
    return json(shims.disk_usage(usage, call.version, kinds, verbose=arguments["verbose"]))


@feed.handles(Events.stream)
async def events(call: Call) -> web.StreamResponse:
    arguments = call.read()
    since, until = arguments["since"], arguments["until"]
    if since is not None and until is not None and since > until:
        raise InvalidArgument("`since` time cannot be after `until` time")
    content_type = _event_type(call)
    mark = _EVENT_TYPES.get(content_type, b"")
    return await lines(
        call.request,
        call.client.events.stream(**arguments),
        content_type=content_type,
        render=lambda event: mark + shims.event(event, call.version),
    )


def _event_type(call: Call) -> str:
    if call.version < (1, 52):
        return "application/json"
    accepted = [part.split(";")[0].strip() for part in call.request.headers.get("Accept", "").split(",")]
    return next((kind for kind in accepted if kind in _EVENT_TYPES), "application/jsonl")
