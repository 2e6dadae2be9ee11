"""The page of the images."""

from __future__ import annotations

import time
from typing import ClassVar

from moby_tui.schema.image import ImageSummary
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.resource import ResourcePage, Row

#: The column that counts the image's containers.
_USED_BY = 4


class ImagesPage(ResourcePage):
    mode = "images"
    heading = "Images"
    columns = (("IMAGE", 0), ("ID", 12), ("SIZE", 7), ("CREATED", 8), ("USED BY", 7))
    right = frozenset({2, 3, 4})
    follows = frozenset({"image", "container"})
    empty = "none yet · moby pull IMAGE"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="image.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the image (asks first)",
            on=On.ROWS,
            destroys=True,
            command="moby rmi {names}",
        ),
    )

    async def fetch(self) -> list[Row]:
        used: dict[str, int] = {}
        for container in await self.session.client.containers.list(all=True):
            used[container.image_id] = used.get(container.image_id, 0) + 1
        images = await self.session.client.images.list()
        rows = [_row(image, used.get(image.id, 0)) for image in images]
        return sorted(rows, key=lambda row: (row.name.startswith("<"), row.name))

    async def inspect(self, key: str) -> object:
        return await self.session.client.images.inspect(key)

    def action_remove(self) -> None:
        if row := self.chosen:
            consequence = "All its tags go. Layers that other images need stay; the rest must be pulled or built again."
            users = row.cells[_USED_BY]
            if users:
                consequence += (
                    f" Containers made of it: {users}. They stay; while one of them runs, the engine refuses to remove it."
                )
            self.attempt_confirmed(
                f"Remove the image {row.name}?",
                consequence,
                "Remove by force" if users else "Remove",
                lambda: self._remove(row.key, force=bool(users)),
                f"{row.name} removed",
            )

    async def _remove(self, key: str, *, force: bool) -> None:
        """At once with all its tags, or not at all: by id, which needs force where there are several (dockerd 28.5)."""
        images = self.session.client.images
        several = len((await images.inspect(key)).repo_tags) > 1
        await images.remove(key, force=force or several)


def _row(image: ImageSummary, used: int) -> Row:
    names = [text.clean(tag) for tag in image.repo_tags if tag != "<none>:<none>"]
    name = ", ".join(names) or "<none>"
    created = text.age(time.time() - image.created) if image.created > 0 else "–"
    return Row(image.id, name, (name, text.short_id(image.id), text.size(image.size, step=1000), created, str(used or "")))
