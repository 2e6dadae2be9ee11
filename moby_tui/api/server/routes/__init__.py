"""All routes of the API, in the order in which they are tried."""

from __future__ import annotations

from moby_tui.api.operations.history import History
from moby_tui.api.operations.secrets import Secrets
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import Route, RouteTable
from moby_tui.api.server.routes import (
    build,
    buildkit,
    containers,
    description,
    exec,
    images,
    networks,
    processes,
    system,
    unimplemented,
    volumes,
    websocket,
)

#: Imported for what they answer: operations of the containers' table.
_OF_CONTAINERS = (processes, exec)

ROUTES: list[Route] = [
    route
    for table in (
        # first: a container's name has slashes where it is a link's
        *(unimplemented.table, system.table, system.feed, containers.table, websocket.table, build.table, buildkit.table),
        *(
            images.table,
            images.registries,
            networks.table,
            volumes.table,
            RouteTable(Secrets, plain),
            RouteTable(History, plain),
            description.table,
        ),
    )
    for route in table.routes
]
description.described.extend(ROUTES)
