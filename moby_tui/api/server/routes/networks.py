"""Networks: what there is, made and removed, and which containers are in them."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.operations.networks import Networks
from moby_tui.api.server import shims
from moby_tui.api.server.answers import json
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import NotFound

table = RouteTable(Networks, plain)
table.also("/networks/", Networks.list)


@table.handles(Networks.list)
async def list_(call: Call) -> web.StreamResponse:
    """Before 1.28 the list tells which containers are in a network, too."""
    networks = await call.client.networks.list(**call.read())
    if call.version < (1, 28):
        networks = [await call.client.networks.inspect(network.id) for network in networks]
    return json(networks)


@table.handles(Networks.create)
async def create(call: Call) -> web.StreamResponse:
    config = shims.network_create((await call.arguments())["config"], call.version)
    return json(await call.client.networks.create(config), 201)


@table.handles(Networks.inspect)
async def inspect(call: Call) -> web.StreamResponse:
    """Of several of a name the ``scope`` chooses one. Verbose answers are the same if there is no cluster."""
    arguments = call.read()
    network = await call.client.networks.inspect(arguments["ref"])
    if arguments["scope"] and arguments["scope"] != network.scope:
        raise NotFound(f"network {arguments['ref']} not found")
    return json(network)
