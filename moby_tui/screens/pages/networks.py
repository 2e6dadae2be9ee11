"""The page of the networks."""

from __future__ import annotations

from moby_tui.screens import text
from moby_tui.screens.pages.resource import ResourcePage, Row


class NetworksPage(ResourcePage):
    mode = "networks"
    heading = "Networks"
    columns = (("NAME", 20), ("ID", 12), ("DRIVER", 8), ("SUBNET", 18), ("CONTAINERS", 0))
    follows = frozenset({"network", "container"})

    async def fetch(self) -> list[Row]:
        users: dict[str, list[str]] = {}
        for container in await self.session.client.containers.list():
            for network in container.network_settings.networks:
                users.setdefault(network, []).append(container.names[0].lstrip("/") if container.names else container.id[:12])
        rows = []
        for one in await self.session.client.networks.list():
            name = text.clean(one.name)
            subnets = text.clean(", ".join(pool.subnet for pool in one.ipam.config or []))
            cells = (name, text.short_id(one.id), text.clean(one.driver), subnets, text.clean(", ".join(users.get(one.name, []))))
            rows.append(Row(one.id, name, cells))
        return sorted(rows, key=lambda row: row.name)

    async def inspect(self, key: str) -> object:
        return await self.session.client.networks.inspect(key)
