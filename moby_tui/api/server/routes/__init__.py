"""All routes of the API, in the order in which they are tried."""

from __future__ import annotations

from moby_tui.api.server.router import Route
from moby_tui.api.server.routes import (
    archive,
    build,
    buildkit,
    containers,
    exec,
    images,
    networks,
    processes,
    provenance,
    secrets,
    system,
    unimplemented,
    volumes,
    websocket,
)

ROUTES: list[Route] = [
    route
    for module in (
        *(
            system,
            containers,
            processes,
            websocket,
            archive,
            exec,
            build,
            buildkit,
            provenance,
            images,
            networks,
            volumes,
            secrets,
        ),
        unimplemented,
    )
    for route in module.table.routes
]
