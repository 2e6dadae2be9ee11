"""Networks: what there is, made and removed, and which containers are in them; and what moby knows of their traffic."""

from __future__ import annotations

import builtins
from typing import Protocol

from moby_tui.api.operations.fields import extra, field, filters
from moby_tui.api.operations.operation import delete, get, post
from moby_tui.schema.base import Filters
from moby_tui.schema.container import EndpointSettings
from moby_tui.schema.network import Network, NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect, NetworksPruned
from moby_tui.schema.traffic import Exposure, Finding, Shape


class Networks(Protocol):
    """``ref`` is an id, a name, or a unique prefix of an id."""

    @get("/networks", filters("dangling", "driver", "id", "label", "name", "scope", "type"))
    async def list(self, *, filters: Filters | None = None) -> builtins.list[Network]:
        """Lists networks, without their containers."""
        ...

    @post("/networks/create", status=201, errors=(403, 404, 409))
    async def create(self, config: NetworkCreate) -> NetworkCreated:
        """Makes a network."""
        ...

    @post("/networks/prune", filters("label", "label!", "until"), since="1.25")
    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks that no container is in."""
        ...

    @post("/networks/{ref:.+}/connect", field("config", "endpoint_config"), body=NetworkConnect, status=200, errors=(403, 404))
    async def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None:
        """Puts a container into a network, at once if it runs."""
        ...

    @post("/networks/{ref:.+}/disconnect", body=NetworkDisconnect, status=200, errors=(403, 404))
    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        """Takes a container out of a network."""
        ...

    @get("/moby/networks/exposure", needs="network exposure")
    async def exposure(self) -> builtins.list[Exposure]:
        """Which ports of the running containers are reachable from outside of the host, and why."""
        ...

    @get("/moby/networks/doctor", needs="network doctor")
    async def examine(self) -> builtins.list[Finding]:
        """What blocks or breaks the traffic of the networks, and what to do about it. Nothing is changed."""
        ...

    @get("/moby/containers/{container}/shape", errors=(404, 409), needs="network shape")
    async def shapes(self, container: str) -> builtins.list[Shape]:
        """For each network of a running container how what it sends there is treated."""
        ...

    @post("/moby/containers/{container}/shape", errors=(404, 409), needs="network shape")
    async def shape(self, container: str, shape: Shape) -> None:
        """Delays, loses or limits what a running container sends into a network, or into each; for as long as it runs."""
        ...

    @get("/networks/{ref:.+}", field("verbose", kind="boolean"), extra("scope"), errors=(404,))
    async def inspect(self, ref: str, *, verbose: bool = False) -> Network:
        """Tells of a network and of the containers in it."""
        ...

    @delete("/networks/{ref:.+}", errors=(403, 404))
    async def remove(self, ref: str) -> None:
        """Removes a network that no container is in."""
        ...
