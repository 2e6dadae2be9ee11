"""The page of the volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moby_tui.schema.volume import VolumeUsage
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.resource import ResourcePage
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.session.volumes import Volume
from moby_tui.screens.widgets.object_table import Cells, Column, ObjectTable


class VolumesPage(ResourcePage[Volume]):
    mode = "volumes"
    noun = "volume"
    heading = "Volumes"
    empty = "none yet · moby volume create NAME"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="volume.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the volume and its data (asks first)",
            on=On.ROWS,
            changes=True,
            destroys=True,
            typed=True,
            command="moby volume rm {names}",
        ),
        Action(
            id="volume.files",
            title="Files",
            keys="f",
            tooltip="Show the files of the volume",
            on=On.ROW,
        ),
    )
    #: The containers that use each volume, by its name.
    _users: Mapping[str, str] = {}

    @property
    def feed(self) -> ResourceFeed[Any, Volume]:
        return self.session.volumes

    def columns(self) -> Sequence[Column[Volume]]:
        return (
            Column("name", "NAME", 16, 70, lambda one: one.name),
            Column("driver", "DRIVER", 8, 20, lambda one: one.driver, rank=2),
            Column("created", "CREATED", 19, 19, lambda one: one.created, rank=3),
            Column("users", "USED BY", 10, 60, lambda one: self._users.get(one.id, ""), rank=1),
        )

    def gather(self) -> None:
        users: dict[str, list[str]] = {}
        for container in self.session.model.rows():
            for name in container.volumes:
                users.setdefault(name, []).append(container.name)
        self._users = {name: ", ".join(sorted(names)) for name, names in users.items()}

    def cells(self, table: ObjectTable[Volume], row: Volume) -> Cells:
        name = table.cell(row.name)
        name.stylize("bold")
        return {
            "name": name,
            "driver": table.cell(row.driver, "text-muted"),
            "created": table.cell(row.created, "text-muted"),
            "users": table.cell(self._users.get(row.id, ""), "accent"),
        }

    async def inspect(self, key: str) -> object:
        return await self.session.client.volumes.inspect(key)

    def action_files(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("files", "volume", one.id)

    def action_remove(self) -> None:
        self.perform(
            "volume.remove",
            lambda row: self.session.client.volumes.remove(row.id),
            done="removed",
            question=Question(
                "Remove the volume {rows}?",
                "The data in it is lost for good.",
                sizes=self._sizes,
            ),
        )

    async def _sizes(self) -> Mapping[str, int]:
        usage = await self.session.client.system.disk_usage()
        return {one.name: one.usage_data.size for one in usage.volumes if isinstance(one.usage_data, VolumeUsage)}
