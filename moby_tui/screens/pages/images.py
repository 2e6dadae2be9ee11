"""The page of the images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.resource import ResourcePage
from moby_tui.screens.pages.shared.running import RunningPage
from moby_tui.screens.session.images import Image
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.widgets.object_table import Cells, Column, ObjectTable


class ImagesPage(ResourcePage[Image], RunningPage):
    mode = "images"
    noun = "image"
    heading = "Images"
    empty = "none yet · moby pull IMAGE"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="image.run",
            title="Run",
            keys="n",
            tooltip="Fill in the form of moby run for the image, and run it",
            on=On.ROW,
            changes=True,
            command="moby run {names}",
        ),
        Action(
            id="image.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the image (asks first)",
            on=On.ROWS,
            changes=True,
            destroys=True,
            command="moby rmi {names}",
        ),
        Action(
            id="image.files",
            title="Files",
            keys="f",
            tooltip="Show the files of the image",
            on=On.ROW,
        ),
    )
    #: How many containers were made of each image, by its id.
    _used: Mapping[str, int] = {}

    @property
    def feed(self) -> ResourceFeed[Any, Image]:
        return self.session.images

    def columns(self) -> Sequence[Column[Image]]:
        return (
            Column("name", "IMAGE", 16, 100, lambda one: one.name),
            Column("id", "ID", 12, 12, lambda one: one.id, rank=3),
            Column("size", "SIZE", 7, 7, lambda one: one.size, rank=1, number=True),
            Column("created", "CREATED", 8, 8, lambda one: one.created, rank=2, number=True),
            Column("used", "USED BY", 8, 8, lambda one: self._used.get(one.id, 0), rank=4, number=True),
        )

    def gather(self) -> None:
        used: dict[str, int] = {}
        for container in self.session.model.rows():
            used[container.image_id] = used.get(container.image_id, 0) + 1
        self._used = used

    def cells(self, table: ObjectTable[Image], row: Image) -> Cells:
        created = text.age(time.time() - row.created) if row.created else "–"
        name = table.cell(row.name, "text-muted" if row.dangling else "foreground")
        name.stylize("bold")
        return {
            "name": name,
            "id": table.cell(text.short_id(row.id), "text-muted"),
            "size": table.cell(text.size(row.size, step=1000), right=True),
            "created": table.cell(created, right=True),
            "used": table.cell(str(self._used.get(row.id, "")), "accent", right=True),
        }

    async def inspect(self, key: str) -> object:
        return await self.session.client.images.inspect(key)

    def action_files(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("files", "image", one.id)

    def action_run(self) -> None:
        if row := self.chosen:
            self.run_form(text.short_id(row.id) if row.dangling else row.name.split(",")[0].strip())

    def action_remove(self) -> None:
        users = sum(self._used.get(row.id, 0) for row in self.targets())
        consequence = "All its tags go. Layers that other images need stay; the rest must be pulled or built again."
        if users:
            consequence += f" Containers made of it: {users}. They stay; while one of them runs, the engine refuses to remove it."
        self.perform(
            "image.remove",
            self._remove,
            done="removed",
            question=Question(
                "Remove the image {rows}?",
                consequence,
                sizes=self._sizes,
                verb="Remove by force" if users else "",
            ),
        )

    async def _remove(self, row: Image) -> None:
        """At once with all its tags, or not at all: by id, which needs force where there are several (dockerd 28.5)."""
        images = self.session.client.images
        several = len((await images.inspect(row.id)).repo_tags) > 1
        await images.remove(row.id, force=several or bool(self._used.get(row.id)))

    async def _sizes(self) -> Mapping[str, int]:
        """What each image has for itself; what it shares with others does not come back with it alone."""
        images = await self.session.client.images.list(shared_size=True)
        return {one.id: one.size - max(one.shared_size, 0) for one in images}
