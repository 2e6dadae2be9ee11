"""Removes images: Docker's rules for conflicts, prune, and the sweep of layers and blobs that no image uses."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import msgspec

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.trees import Meter
from moby_tui.engine.resources.images import describe
from moby_tui.engine.resources.images.lineage import is_built_on
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.resources.images.upkeep import GRACE
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import build_steps
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import Conflict
from moby_tui.reference import Reference, parse
from moby_tui.schema.base import Filters
from moby_tui.schema.image import ImageDeleted, ImagesPruned

UsedBy = Callable[[str], list[tuple[str, bool]]]


class Prunable(msgspec.Struct, frozen=True):
    """What a prune removes: images with their references, ``spare`` references of images that containers use, the lines of its answer, and
    layers and blobs."""

    images: list[tuple[ImageRecord, list[str]]]
    spare: list[tuple[ImageRecord, list[str]]]
    steps: list[ImageDeleted]
    digests: set[str]
    size: int

    def answer(self) -> ImagesPruned:
        return ImagesPruned(images_deleted=self.steps or None, space_reclaimed=self.size)


class Removal:
    """``used_by`` gives the containers of an image and whether each runs; ``publish`` publishes an event of an image; ``cached`` are the
    layers and blobs that the build cache counts on."""

    def __init__(
        self,
        paths: Paths,
        rows: ImageRows,
        content: ContentStore,
        layers: LayerStore,
        used_by: UsedBy,
        publish: Callable[[str, ImageRecord], None],
        cached: Callable[[], set[str]],
    ) -> None:
        self._paths = paths
        self._rows = rows
        self._content = content
        self._layers = layers
        self._used_by = used_by
        self._publish = publish
        self._cached = cached

    async def by_reference(self, record: ImageRecord, reference: Reference, *, force: bool) -> list[ImageDeleted]:
        """Removes one reference, and the image with its last one. Raises ``Conflict``."""
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
        if last and not users:
            deleted += await self._delete(record)
        return deleted

    async def by_id(self, record: ImageRecord, *, force: bool) -> list[ImageDeleted]:
        """Removes an image with all its references. Raises ``Conflict``.

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
        if not users:
            deleted += await self._delete(record)
        return deleted

    async def prune(self, filters: Filters | None, find: Callable[[str], ImageRecord]) -> ImagesPruned:
        """Removes images without a tag (``dangling=false``: all) that no container uses, and layers and blobs that belong to no image."""
        from moby_tui.engine.resources.images.store import partial

        unused = await self.prunable(filters, find)
        for record, references in unused.images:
            self._untag(record, references)
            self._unregister(record)
        for record, references in unused.spare:
            self._untag(record, references)
        await self.discard(unused.digests)
        if _is_broad(filters):
            await in_thread(partial.collect, self._paths.staging, most=0)
        return unused.answer()

    async def prunable(self, filters: Filters | None, find: Callable[[str], ImageRecord], gone: Collection[str] = ()) -> Prunable:
        """What ``prune`` would remove now, if the containers ``gone`` were removed."""
        describe.check_prune_filters(filters)
        dangling = True if describe.flag(filters, "dangling", True) else None
        known = self._rows.references()
        images: list[tuple[ImageRecord, list[str]]] = []
        spare: list[tuple[ImageRecord, list[str]]] = []
        steps: list[ImageDeleted] = []
        records = self._rows.all()
        chains = _chain_users(records)
        for record in records:
            references = known.get(record.id, [])
            used = any(container not in gone for container, _ in self._used_by(record.id))
            if not describe.matches(record, references, filters, find, dangling=dangling):
                continue
            if not used:
                images.append((record, references))
                steps += [*_untagged(references), *_deleted(record, chains)]
            elif unneeded := _all_but_one(references):
                spare.append((record, unneeded))
                steps += _untagged(unneeded)
        cached = await in_thread(self._cached)
        digests = self._unused([record for record, _ in images], cached)
        measure = self._measure_all if _is_broad(filters) else self.measure
        return Prunable(images, spare, steps, digests, await in_thread(measure, digests))

    def _unused(self, removed: list[ImageRecord], cached: set[str]) -> set[str]:
        """The layers and blobs that nothing needs without these images. Those of the build cache are removed by the build cache only."""
        ids = {record.id for record in removed}
        used = _of([record for record in self._rows.all() if record.id not in ids])
        present = {*self._layers.diff_ids(), *self._content.digests()}
        return (present - used) - cached

    def _measure_all(self, digests: Iterable[str]) -> int:
        """The bytes of these layers and blobs, and of interrupted downloads."""
        from moby_tui.engine.resources.images.store import partial

        meter = Meter()
        return self.measure(digests) + sum(map(meter.of, partial.idle(self._paths.staging)))

    def measure(self, digests: Iterable[str]) -> int:
        """Bytes that these layers and blobs take on disk. Blocking."""
        meter = Meter()
        return sum(meter.of(self._layers.folder(digest)) + meter.of(self._content.path(digest)) for digest in digests)

    async def discard(self, digests: Collection[str]) -> None:
        """Deletes the layers and blobs among these that no image uses. If a pull or load is running, the next sweep does it."""
        self._rows.condemn(digests)
        await self.sweep()

    def unneeded(self, digests: Collection[str], gone: Collection[str] = ()) -> set[str]:
        """The layers and blobs among these that no image uses; the images ``gone`` do not count."""
        return set(digests) - _of([record for record in self._rows.all() if record.id not in gone])

    def _untag(self, record: ImageRecord, references: list[str]) -> list[ImageDeleted]:
        self._rows.untag(references)
        for _ in references:
            self._publish("untag", record)
        return _untagged(references)

    async def _delete(self, record: ImageRecord) -> list[ImageDeleted]:
        deleted = self._unregister(record)
        await self.sweep()
        return deleted

    def _unregister(self, record: ImageRecord) -> list[ImageDeleted]:
        """Removes the image's row. The answer lists its layers too, as dockerd's: by chain id, top-most first, those of no other image."""
        self._rows.remove(record)
        self._publish("delete", record)
        self._forget_steps(record)
        return _deleted(record, _chain_users([record, *self._rows.all()]))

    def _forget_steps(self, record: ImageRecord) -> None:
        """Removes the cached steps of classic builds that have made this image and no other: the next build executes them again. Blocking."""
        others: list[ImageRecord] | None = None
        for file, step in build_steps.classic(self._paths.build_steps):
            if is_built_on(record.config, step.config):
                others = self._rows.all() if others is None else others
                if not any(is_built_on(other.config, step.config) for other in others):
                    file.unlink(missing_ok=True)

    async def sweep(self) -> None:
        """Deletes layers and blobs that no image uses: condemned ones now, others when they are old.

        While a pull or load runs in any process nothing is deleted, since it may rely on what is there; the next sweep does it.
        """
        async with staging.claim(self._paths.staging, f"trash-{os.urandom(8).hex()}") as trash:
            with staging.exclusive(self._paths.blobs / "lock") as alone:
                if alone:
                    self._discard(trash)

    def _discard(self, trash: Path) -> None:
        """Moves unused layers and blobs to the trash, with a rename each: quick, since others wait for the lock."""
        used, condemned = _of(self._rows.all()) | self._cached(), self._rows.condemned()
        for diff_id in set(self._layers.diff_ids()) - used:
            folder = self._layers.folder(diff_id)
            if diff_id in condemned or staging.age(folder) > GRACE:
                fault.point("images.sweep layer")
                folder.rename(trash / folder.name)
        for digest in set(self._content.digests()) - used:
            if digest in condemned or staging.age(self._content.path(digest)) > GRACE:
                fault.point("images.sweep blob")
                self._content.remove(digest)
        if condemned:
            self._rows.swept(condemned)


def _is_broad(filters: Filters | None) -> bool:
    """True if no filter selects images: then the rest of interrupted downloads is removed too."""
    return not set(filters or {}) - {"dangling"}


def _of(records: Iterable[ImageRecord]) -> set[str]:
    """The layers and blobs of images."""
    return set().union(*(record.content for record in records))


def _deleted(record: ImageRecord, users: Counter[str]) -> list[ImageDeleted]:
    """The lines of the answer for a removed image. ``users`` counts the images of each chain; this image is subtracted."""
    chains = _chains(record)
    users.subtract(chains)
    return [ImageDeleted(deleted=digest) for digest in (record.id, *(chain for chain in reversed(chains) if users[chain] == 0))]


def _chain_users(records: Iterable[ImageRecord]) -> Counter[str]:
    return Counter(chain for record in records for chain in _chains(record))


def _chains(record: ImageRecord) -> list[str]:
    """The chain id of each layer, the lowest first: the digest of all up to it (OCI image specification, config.md, "Layer ChainID")."""
    chains: list[str] = []
    for diff_id in record.config.rootfs.diff_ids:
        chains.append(digest_of(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id)
    return chains


def _untagged(references: list[str]) -> list[ImageDeleted]:
    return [ImageDeleted(untagged=name) for name in describe.tags(references) + describe.digests(references)]


def _all_but_one(references: list[str]) -> list[str]:
    """The references that a used image does not need: of all in order the last stays, with the digests of its repository if it is a tag."""
    if not references:
        return []
    *others, last = sorted(references)
    tag = next((other for other in others if "@" in last and "@" not in other and _repository(other) == _repository(last)), "")
    return [other for other in others if other != tag]


def _repository(reference: str) -> str:
    return parse(reference).repository


def _with_its_digests(references: list[str], reference: Reference) -> list[str]:
    """A repository's digests go with its last tag."""
    same = [other for other in references if parse(other).repository == reference.repository]
    left = [other for other in same if other != reference.key]
    return same if all("@" in other for other in left) and reference.key in same else [reference.key]


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
