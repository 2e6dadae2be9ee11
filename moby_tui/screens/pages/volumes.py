"""The page of the volumes."""

from __future__ import annotations

from typing import ClassVar

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.resource import ResourcePage, Row


class VolumesPage(ResourcePage):
    mode = "volumes"
    heading = "Volumes"
    columns = (("NAME", 0), ("DRIVER", 8), ("CREATED", 19), ("USED BY", 24))
    follows = frozenset({"volume", "container"})
    empty = "none yet · moby volume create NAME"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="volume.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the volume and its data (asks first)",
            on=On.ROWS,
            destroys=True,
            command="moby volume rm {names}",
        ),
    )

    async def fetch(self) -> list[Row]:
        users: dict[str, list[str]] = {}
        for container in await self.session.client.containers.list(all=True):
            for mount in container.mounts:
                users.setdefault(mount.name, []).append(container.names[0].lstrip("/") if container.names else container.id[:12])
        rows = []
        for volume in await self.session.client.volumes.list():
            name = text.clean(volume.name)
            created = text.clean(volume.created_at[:19].replace("T", " "))
            cells = (name, text.clean(volume.driver), created, text.clean(", ".join(users.get(volume.name, []))))
            rows.append(Row(volume.name, name, cells))
        return sorted(rows, key=lambda row: row.name)

    async def inspect(self, key: str) -> object:
        return await self.session.client.volumes.inspect(key)

    def action_remove(self) -> None:
        if row := self.chosen:
            self.attempt_confirmed(
                f"Remove the volume {row.name}?",
                "The data in it is lost for good.",
                "Remove",
                lambda: self.session.client.volumes.remove(row.key),
                f"{row.name} removed",
            )
