"""What the Docker Engine has and this engine lacks: known by name, so that a client is told the truth.

Everything of a swarm answers as a Docker Engine outside a swarm does.
"""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.operations.fields import extra
from moby_tui.api.server.answers import json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import Handler, RouteTable
from moby_tui.errors import NotFound, NotImplementedYet, NotInSwarm, NotSupported, Unavailable

table = RouteTable()

_LACKING = """
GET /containers/{ref}/checkpoints
POST /containers/{ref}/checkpoints
DELETE /containers/{ref}/checkpoints/{name}
GET /images/{ref:.*}/attestations
"""

#: A Docker Engine on Windows, which has no managed plug-ins either, answers in these words.
_NO_PLUGINS = "plugins are not supported on this platform: start one by yourself, with its socket in /run/docker/plugins"
_INSTALLS_A_PLUGIN = """
GET /plugins/privileges
POST /plugins/pull
POST /plugins/create
"""

#: No plug-in can be installed, so none is found.
_OF_A_PLUGIN = """
GET /plugins/{ref:.*}/json
DELETE /plugins/{ref:.*}
POST /plugins/{ref:.*}/enable
POST /plugins/{ref:.*}/disable
POST /plugins/{ref:.*}/upgrade
POST /plugins/{ref:.*}/push
POST /plugins/{ref:.*}/set
"""

_OF_A_SWARM = """
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave
POST /swarm/update
GET /swarm/unlockkey
POST /swarm/unlock
GET /nodes
GET /nodes/{ref}
DELETE /nodes/{ref}
POST /nodes/{ref}/update
GET /services
POST /services/create
GET /services/{ref}
DELETE /services/{ref}
POST /services/{ref}/update
GET /services/{ref}/logs
GET /tasks
GET /tasks/{ref}
GET /tasks/{ref}/logs
GET /secrets
POST /secrets/create
GET /secrets/{ref}
DELETE /secrets/{ref}
POST /secrets/{ref}/update
GET /configs
POST /configs/create
GET /configs/{ref}
DELETE /configs/{ref}
POST /configs/{ref}/update
"""


def _lacking(name: str) -> Handler:
    async def refuse(call: Call) -> web.StreamResponse:
        raise NotImplementedYet(name)

    return refuse


async def _no_swarm(call: Call) -> web.StreamResponse:
    raise NotInSwarm


async def _no_managed_plugins(call: Call) -> web.StreamResponse:
    raise NotSupported(_NO_PLUGINS)


async def _no_plugin(call: Call) -> web.StreamResponse:
    raise NotFound(f'plugin "{call.ref}" not found')


@table.get("/plugins", extra("filters", "filters", default=None, keys=("capability", "enabled")))
async def plugins(call: Call) -> web.StreamResponse:
    """Lists the plug-ins that the Docker Engine manages: none."""
    call.read()
    return json([])


def _paths(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("\n") if line]


@table.put("/volumes/{name}", status=503)
async def update_volume(call: Call) -> web.StreamResponse:
    """Changes a volume of a swarm: this engine is in none."""
    raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")


for _method, _path in _paths(_LACKING):
    _name = f"{_method} {_path.replace(':.*', '').replace(':.+', '')}"
    table.add(_method, _path, status=501, meaning="Of the Docker Engine, and not here yet.")(_lacking(_name))
for _method, _path in _paths(_INSTALLS_A_PLUGIN):
    table.add(_method, _path, status=501, meaning="Installs a plug-in, which this engine does not.")(_no_managed_plugins)
for _method, _path in _paths(_OF_A_PLUGIN):
    table.add(_method, _path, status=404, meaning="Of a plug-in that the Docker Engine manages: here is none.")(_no_plugin)
for _method, _path in _paths(_OF_A_SWARM):
    table.add(_method, _path, status=503, meaning="Of a swarm: this engine is in none.")(_no_swarm)
