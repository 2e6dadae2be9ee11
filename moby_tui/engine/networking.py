"""The networks as the engine's users see them: the manager's, and which containers are in them."""

from __future__ import annotations

import builtins

from moby_tui.engine.containers.parts import Parts
from moby_tui.schema.base import Filters
from moby_tui.schema.container import EndpointSettings
from moby_tui.schema.network import Network, NetworkCreate, NetworkCreated, NetworksPruned
from moby_tui.schema.traffic import Exposure, Finding, Shape


class NetworkService:
    """Implements the client protocol's ``Networks``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._manager = parts.networks

    async def list(self, *, filters: Filters | None = None) -> builtins.list[Network]:
        await self._parts.managers.mend_networks()
        return await self._manager.list(filters=filters)

    async def inspect(self, ref: str, *, verbose: bool = False) -> Network:
        """``verbose`` adds the services of a cluster, of which there are none here."""
        return await self._manager.inspect(ref)

    async def create(self, config: NetworkCreate) -> NetworkCreated:
        return await self._manager.create(config)

    async def remove(self, ref: str) -> None:
        await self._manager.remove(ref)

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        return await self._manager.prune(filters=filters)

    async def exposure(self) -> builtins.list[Exposure]:
        from moby_tui.engine.containers.views.exposure import exposures

        return await exposures(self._parts)

    async def examine(self) -> builtins.list[Finding]:
        return await self._manager.examine()

    async def shapes(self, container: str) -> builtins.list[Shape]:
        from moby_tui.engine.containers import shaping

        return shaping.shapes(self._parts, container)

    async def shape(self, container: str, shape: Shape) -> None:
        from moby_tui.engine.containers import shaping

        await shaping.shape(self._parts, container, shape)

    async def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None:
        from moby_tui.engine.containers import connections, wire

        await connections.connect(self._parts, ref, container, wire.endpoint_to_keep(config) if config else None)

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        from moby_tui.engine.containers import connections

        await connections.disconnect(self._parts, ref, container, force=force)
