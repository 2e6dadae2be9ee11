"""Containers as objects: list, create, inspect, change of state, removal."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server import shims
from moby_tui.api.server.answers import begin, empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import encode
from moby_tui.schema.container import ContainerCreate, ContainerExit, ContainerUpdate, PortChanges, WaitError

table = RouteTable()

_FILTERS = frozenset(
    {
        "ancestor",
        "annotation",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    }
)
_PRUNE_FILTERS = frozenset({"label", "label!", "until"})

_WAIT_CONDITIONS = ("not-running", "next-exit", "removed")
#: Some clients send "{}" or "null" to start; a real body was a host configuration, and that has been refused since 1.24.
_MAX_START_BODY = 7


@table.get("/containers/json")
async def list_(call: Call) -> web.StreamResponse:
    query = call.query
    rows = await call.client.containers.list(
        all=query.flag("all"), limit=max(query.integer("limit"), 0), size=query.flag("size"), filters=query.filters(_FILTERS)
    )
    return json(shims.container_summaries(rows, call.version))


@table.post("/containers/create")
async def create(call: Call) -> web.StreamResponse:
    if not call.request.can_read_body:
        raise InvalidArgument("invalid JSON: got EOF while reading request body")
    config = shims.container_create(await call.body(ContainerCreate), call.version)
    platform = call.query.text("platform") if call.version >= (1, 41) else ""
    return json(await call.client.containers.create(config, name=call.query.text("name"), platform=platform), 201)


@table.post("/containers/prune", since="1.25")
async def prune(call: Call) -> web.StreamResponse:
    return json(await call.client.containers.prune(filters=call.query.filters(_PRUNE_FILTERS)))


@table.get("/containers/{ref}/json")
async def inspect(call: Call) -> web.StreamResponse:
    container = await call.client.containers.inspect(call.ref, size=call.query.flag("size"))
    return json(shims.container_inspect(container, call.version))


@table.post("/containers/{ref}/start")
async def start(call: Call) -> web.StreamResponse:
    length = call.request.content_length
    if (length or 0) > _MAX_START_BODY or (length is None and call.request.can_read_body):
        raise InvalidArgument(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
        )
    await call.client.containers.start(call.ref)
    return empty()


def _stop_arguments(call: Call) -> tuple[int | None, str]:
    timeout = call.query.integer("t") if call.query.text("t") else None
    return timeout, call.query.text("signal") if call.version >= (1, 42) else ""


@table.post("/containers/{ref}/stop")
async def stop(call: Call) -> web.StreamResponse:
    timeout, signal = _stop_arguments(call)
    await call.client.containers.stop(call.ref, timeout=timeout, signal=signal)
    return empty()


@table.post("/containers/{ref}/restart")
async def restart(call: Call) -> web.StreamResponse:
    timeout, signal = _stop_arguments(call)
    await call.client.containers.restart(call.ref, timeout=timeout, signal=signal)
    return empty()


@table.post("/containers/{ref}/kill")
async def kill(call: Call) -> web.StreamResponse:
    await call.client.containers.kill(call.ref, signal=call.query.text("signal") or "KILL")
    return empty()


@table.post("/containers/{ref}/pause")
async def pause(call: Call) -> web.StreamResponse:
    await call.client.containers.pause(call.ref)
    return empty()


@table.post("/containers/{ref}/unpause")
async def unpause(call: Call) -> web.StreamResponse:
    await call.client.containers.unpause(call.ref)
    return empty()


@table.post("/containers/{ref}/rename")
async def rename(call: Call) -> web.StreamResponse:
    if not call.query.text("name"):
        raise InvalidArgument("Neither old nor new names may be empty")
    await call.client.containers.rename(call.ref, call.query.text("name"))
    return empty()


@table.post("/containers/{ref}/update")
async def update(call: Call) -> web.StreamResponse:
    changes = shims.container_update(await call.body(ContainerUpdate), call.version)
    return json(await call.client.containers.update(call.ref, changes))


@table.post("/moby/containers/{ref}/ports")
async def change_ports(call: Call) -> web.StreamResponse:
    return json(await call.client.containers.change_ports(call.ref, await call.body(PortChanges)))


@table.delete("/containers/{ref:.+}")
async def remove(call: Call) -> web.StreamResponse:
    if call.query.flag("link"):
        await call.client.containers.remove_link(call.ref)
        return empty()
    await call.client.containers.remove(call.ref, force=call.query.flag("force"), volumes=call.query.flag("v"))
    return empty()


@table.post("/containers/{ref}/wait", lasting=True)
async def wait(call: Call) -> web.StreamResponse:
    """The headers go as soon as the wait is registered: ``docker run`` starts the container only then."""
    condition = call.query.text("condition") or "not-running"
    if condition not in _WAIT_CONDITIONS:
        raise InvalidArgument(f"invalid condition: {condition!r}: use one of {', '.join(_WAIT_CONDITIONS)}")
    waiting = await call.client.containers.wait(call.ref, condition=condition)
    try:
        response = await begin(call.request, "application/json")
        try:
            exited = await waiting.result()
        except MobyError as error:
            exited = ContainerExit(status_code=125, error=WaitError(message=error.message))
        await response.write(encode(exited) + b"\n")
        return response
    finally:
        await waiting.close()
