"""Taking images away: Docker's rules of conflict, prune, and the sweep of what no image uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from moby_tui.engine.resources.images import describe, staging
from moby_tui.engine.resources.images.content import ContentStore
from moby_tui.engine.resources.images.layers import LayerStore
from moby_tui.engine.resources.images.reference import Reference, parse
from moby_tui.engine.store.images import ImageRecord, ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import Conflict
from moby_tui.schema.base import Filters
from moby_tui.schema.image import ImageDeleted, ImagesPruned

UsedBy = Callable[[str], list[tuple[str, bool]]]
#: Layers and blobs that are kept although no image has them.
Held = Callable[[], tuple[set[str], set[str]]]
#: What was fetched whole by a pull that did not end is kept this long (seconds) for another try.
_GRACE = 3600.0


class Removal:
    """``used_by`` names the containers of an image and whether each runs; ``told`` publishes an image's event."""

    def __init__(
        self,
        paths: Paths,
        rows: ImageRows,
        content: ContentStore,
        layers: LayerStore,
        used_by: UsedBy,
        held: Held,
        told: Callable[[str, ImageRecord], None],
    ) -> None:
        self._paths = paths
        self._rows = rows
        self._content = content
        self._layers = layers
        self._used_by = used_by
        self._held = held
        self._told = told

    async def by_reference(self, record: ImageRecord, reference: Reference, *, force: bool, prune: bool) -> list[ImageDeleted]:
        """Takes one reference away, and the image with its last. Raises ``Conflict``."""
        references = self._rows.references_of(record.id)
        gone = _with_its_digests(references, reference)
        last = not set(references) - set(gone)
        users = self._used_by(record.id)
        if last and users and not force:
            raise Conflict(
                f'conflict: unable to remove repository reference "{reference.familiar}" (must force)'
                f" - container {_short(users[0][0])} is using its referenced image {_short(record.id)}"
            )
        deleted = self._untag(record, gone)
        if last and not users and prune:
            deleted += await self._delete(record)
        return deleted

    async def by_id(self, record: ImageRecord, *, force: bool, prune: bool) -> list[ImageDeleted]:
        """Takes an image away with all its references. Raises ``Conflict``.

        With ``force`` an image of stopped containers loses its names and stays: they could not be started again without it.
        """
        references = self._rows.references_of(record.id)
        users = self._used_by(record.id)
        name = _short(record.id)
        if running := [container for container, runs in users if runs]:
            raise Conflict(
                f"conflict: unable to delete {name} (cannot be forced)"
                f" - image is being used by running container {_short(running[0])}"
            )
        if not force:
            if len({parse(reference).repository for reference in references}) > 1 or len(describe.tags(references)) > 1:
                raise Conflict(
                    f"conflict: unable to delete {name} (must be forced) - image is referenced in multiple repositories"
                )
            if users:
                raise Conflict(
                    f"conflict: unable to delete {name} (must be forced)"
                    f" - image is being used by stopped container {_short(users[0][0])}"
                )
        deleted = self._untag(record, references)
        if not users and (prune or not references):
            deleted += await self._delete(record)
        return deleted

    async def prune(self, filters: Filters | None, find: Callable[[str], ImageRecord]) -> ImagesPruned:
        """Removes images without a tag (``dangling=false``: all) that no container uses."""
        describe.check_prune_filters(filters)
        dangling = True if describe.flag(filters, "dangling", True) else None
        known = self._rows.references()
        pruned: list[ImageDeleted] = []
        victims = []
        for record in self._rows.all():
            references = known.get(record.id, [])
            if not self._used_by(record.id) and describe.matches(record, references, filters, find, dangling=dangling):
                pruned += self._untag(record, references)
                pruned.append(self._unregister(record))
                victims.append(record)
        return ImagesPruned(images_deleted=pruned or None, space_reclaimed=await self.sweep(victims))

    def _untag(self, record: ImageRecord, references: list[str]) -> list[ImageDeleted]:
        self._rows.untag(references)
        for _ in references:
            self._told("untag", record)
        return [ImageDeleted(untagged=name) for name in describe.tags(references) + describe.digests(references)]

    async def _delete(self, record: ImageRecord) -> list[ImageDeleted]:
        deleted = [self._unregister(record)]
        await self.sweep([record])
        return deleted

    def _unregister(self, record: ImageRecord) -> ImageDeleted:
        self._rows.remove(record.id)
        self._told("delete", record)
        return ImageDeleted(deleted=record.id)

    async def sweep(self, removed: Iterable[ImageRecord] = ()) -> int:
        """Deletes layers and blobs that no image uses: those of ``removed`` now, others once they are old. Returns bytes of layers.

        While a pull or load runs anywhere nothing is deleted, for it may count on what is there; a later sweep will.
        """
        async with staging.claim(self._paths.staging, f"trash-{os.urandom(8).hex()}") as trash:
            with staging.exclusive(self._paths.blobs / "lock") as alone:
                return self._discard(trash, list(removed)) if alone else 0

    async def sweep_old(self) -> None:
        """Sweeps where nobody has done so for as long as what is unused is kept."""
        done = self._paths.cache / "swept"
        try:
            if staging.age(done) <= _GRACE:
                return
        except FileNotFoundError:
            pass
        done.touch()
        await self.sweep()

    def _discard(self, trash: Path, removed: list[ImageRecord]) -> int:
        """Moves what is unused to the trash, a rename each: quick, for others wait."""
        used_layers, used_blobs = self._in_use()
        condemned_layers = {diff_id for record in removed for diff_id in record.config.rootfs.diff_ids}
        condemned_blobs = {digest for record in removed for digest in record.blobs}
        reclaimed = 0
        for diff_id in set(self._layers.diff_ids()) - used_layers:
            folder = self._layers.folder(diff_id)
            if diff_id in condemned_layers or staging.age(folder) > _GRACE:
                reclaimed += self._layers.size(diff_id)
                folder.rename(trash / folder.name)
        for digest in set(self._content.digests()) - used_blobs:
            if digest in condemned_blobs or staging.age(self._content.path(digest)) > _GRACE:
                self._content.remove(digest)
        return reclaimed

    def _in_use(self) -> tuple[set[str], set[str]]:
        records = self._rows.all()
        layers, blobs = self._held()
        return (
            layers.union(*(record.config.rootfs.diff_ids for record in records)),
            blobs.union(*(record.blobs for record in records)),
        )


def _with_its_digests(references: list[str], reference: Reference) -> list[str]:
    """A repository's digests go with its last tag."""
    same = [other for other in references if parse(other).repository == reference.repository]
    left = [other for other in same if other != reference.key]
    return same if all("@" in other for other in left) and reference.key in same else [reference.key]


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
