"""Volumes of an engine elsewhere: what is not as the table of operations has it."""

from __future__ import annotations

from moby_tui.api.client.archives import RemoteArchives
from moby_tui.api.operations.volumes import Volumes
from moby_tui.schema.base import Filters
from moby_tui.schema.volume import Volume


class RemoteVolumes(RemoteArchives):
    family = Volumes

    async def list(self, *, filters: Filters | None = None) -> list[Volume]:
        volumes: list[Volume] = (await self.listed(filters=filters)).volumes
        return volumes
