"""Networks: what there is, made and removed, and which containers are in them."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server.answers import empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.network import NetworkConnect, NetworkCreate, NetworkDisconnect
from moby_tui.schema.traffic import Shape

table = RouteTable()

_FILTERS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
_PRUNE_FILTERS = frozenset({"label", "label!", "until"})


@table.get("/networks")
@table.get("/networks/")
async def list_(call: Call) -> web.StreamResponse:
    return json(await call.client.networks.list(filters=call.query.filters(_FILTERS)))


@table.post("/networks/create")
async def create(call: Call) -> web.StreamResponse:
    return json(await call.client.networks.create(await call.body(NetworkCreate)), 201)


@table.post("/networks/prune", since="1.25")
async def prune(call: Call) -> web.StreamResponse:
    return json(await call.client.networks.prune(filters=call.query.filters(_PRUNE_FILTERS)))


@table.post("/networks/{ref:.+}/connect")
async def connect(call: Call) -> web.StreamResponse:
    asked = await call.body(NetworkConnect)
    await call.client.networks.connect(call.ref, asked.container, asked.endpoint_config)
    return empty(200)


@table.post("/networks/{ref:.+}/disconnect")
async def disconnect(call: Call) -> web.StreamResponse:
    asked = await call.body(NetworkDisconnect)
    await call.client.networks.disconnect(call.ref, asked.container, force=asked.force)
    return empty(200)


@table.get("/moby/networks/exposure")
async def exposure(call: Call) -> web.StreamResponse:
    """Ours, not Docker's."""
    return json(await call.client.networks.exposure())


@table.get("/moby/networks/doctor")
async def doctor(call: Call) -> web.StreamResponse:
    """Ours, not Docker's."""
    return json(await call.client.networks.examine())


@table.get("/moby/containers/{ref}/shape")
async def shapes(call: Call) -> web.StreamResponse:
    """Ours, not Docker's."""
    return json(await call.client.networks.shapes(call.ref))


@table.post("/moby/containers/{ref}/shape")
async def shape(call: Call) -> web.StreamResponse:
    """Ours, not Docker's."""
    await call.client.networks.shape(call.ref, await call.body(Shape))
    return empty()


@table.get("/networks/{ref:.+}")
async def inspect(call: Call) -> web.StreamResponse:
    _check_boolean("verbose", call.query.text("verbose"))
    network = await call.client.networks.inspect(call.ref)
    if (scope := call.query.text("scope")) and scope != network.scope:
        raise NotFound(f"network {call.ref} not found")
    return json(network)


def _check_boolean(name: str, value: str) -> None:
    """As Go's ``strconv.ParseBool`` reads it. Verbose answers are the same where there is no cluster."""
    if value and value not in ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"):
        raise InvalidArgument(f"invalid value for {name}: {value}: expected true or false")


@table.delete("/networks/{ref:.+}")
async def remove(call: Call) -> web.StreamResponse:
    await call.client.networks.remove(call.ref)
    return empty()
