"""The images of one data root: ``ImageManager``, which ``Engine.images`` is. Runs in an engine."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.resources.images import upkeep
from moby_tui.engine.resources.images.names import Names, missing
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.store import disk
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.images import ImageConfig, ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound, StorageReadOnly
from moby_tui.reference import parse, parse_tag
from moby_tui.schema.base import Filters

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.progress import Report
    from moby_tui.engine.resources.images.removal import Prunable, Removal, UsedBy
    from moby_tui.engine.resources.images.slots import Slots
    from moby_tui.engine.resources.images.store.content import ContentStore
    from moby_tui.engine.resources.images.transfer.save import Saved
    from moby_tui.engine.resources.images.transfer.transfer import Transfers
    from moby_tui.schema import oci
    from moby_tui.schema.container import PathStat
    from moby_tui.schema.exploration import FileChange, ImageExploration
    from moby_tui.schema.files import FolderEntry
    from moby_tui.schema.image import (
        ImageDeleted,
        ImageHistory,
        ImageInspect,
        ImagesPruned,
        ImageSummary,
        ManifestSummary,
        Progress,
        RegistryAuth,
    )
    from moby_tui.schema.provenance import Attestation, Verification, VerifyOptions

#: How many changed paths a thread reads before it passes them to the event loop.
_BATCH = 500
Publish = Callable[[str, str, str, dict[str, str]], object]


class LocalImage(msgspec.Struct, frozen=True):
    """An image ready for a container. ``layers`` are directories for overlayfs, top-most first."""

    id: str
    reference: str
    config: ImageConfig
    layers: list[Path]


class ImageManager:
    """Implements ``Images`` of ``api/client/protocol.py``. Use from the thread of the event loop.

    Set by the engine: ``used_by``, the containers of an image and whether each runs; ``cached``, the layers and blobs that
    the build cache counts on.
    """

    def __init__(
        self, paths: Paths, database: Database, publish: Publish, options: Callable[[], EngineOptions] = EngineOptions
    ) -> None:
        self._paths = paths
        self._database = database
        self._publish = publish
        self._rows = ImageRows(database)
        #: the one layer store of this engine
        self.layers = LayerStore(paths.layers, paths.staging)
        self._names = Names(self._rows)
        #: the engine's, at the moment
        self.options = options
        self.used_by: UsedBy = lambda image_id: []
        self.cached: Callable[[], set[str]] = set

    @cached_property
    def _content(self) -> ContentStore:
        # imported here, since a container that starts reads no blob
        from moby_tui.engine.resources.images.store.content import ContentStore

        return ContentStore(self._paths.blobs)

    @cached_property
    def slots(self) -> Slots:
        """How many blobs are transferred at the same time."""
        from moby_tui.engine.resources.images.slots import Slots

        return Slots(self.options)

    @property
    def _transfers(self) -> Transfers:
        """Pull, push, load and save. Imported on first use, since most commands transfer nothing."""
        from moby_tui.engine.resources.images.transfer.transfer import Transfers

        return Transfers(self._paths, self._rows, self._names, self._content, self.layers, self._tell, self.options(), self.slots)

    # For the engine

    def resolve(self, reference: str) -> LocalImage:
        """The image that a reference, id or unique id prefix names. Raises ``NotFound``, ``InvalidArgument``."""
        record = self._names.find(reference)
        return LocalImage(record.id, reference, record.config, self.layers.stack(record.config.rootfs.diff_ids))

    async def ensure(self, reference: str, auth: RegistryAuth | None = None, *, platform: str = "") -> LocalImage:
        """As ``resolve``, but pulls an image that is absent."""
        try:
            return self.resolve(reference)
        except NotFound:
            async for _ in self.pull(reference, platform=platform, auth=auth):
                pass
            return self.resolve(reference)

    def count(self) -> int:
        return self._rows.count()

    async def collect_rubbish(self) -> None:
        """Deletes what killed processes left half-made and, now and then, content that no image uses; repairs what a power cut damaged."""
        if isinstance(disk.refusal(self._paths.data_root), StorageReadOnly):
            return
        if upkeep.is_staging_used(self._paths):
            from moby_tui.engine.resources.images.store import partial, staging

            await in_thread(staging.collect, self._paths.staging)
            await in_thread(partial.collect, self._paths.staging)
        if not upkeep.is_of_this_boot(self._paths):
            from moby_tui.engine.resources.images.snapshots import recovery

            with self._transfers.arrival():
                await recovery.remake_lost(self._rows.all(), self._content, self.layers)
            upkeep.note_boot(self._paths)
        if upkeep.is_sweep_due(self._paths, self._database):
            upkeep.note_sweep(self._paths)
            await self._removal().sweep()

    async def close(self) -> None:
        """Writes new layers and blobs to the disk (syncfs), and ends the unpacker."""
        await self.layers.close()

    # Images

    async def list(
        self,
        *,
        all: bool = False,
        digests: bool = False,
        filters: Filters | None = None,
        shared_size: bool = False,
        manifests: bool = False,
    ) -> builtins.list[ImageSummary]:
        """Every image, newest first. ``all`` adds nothing, since there are no intermediate images, and digests are always included."""
        from moby_tui.engine.resources.images import describe

        describe.check_list_filters(filters)
        dangling = describe.flag(filters, "dangling", None)
        references, records = self._rows.references(), self._rows.all()
        summaries = []
        for record in records:
            names = references.get(record.id, [])
            if describe.matches(record, names, filters, self._names.find, dangling=dangling):
                summary = describe.summary(record, describe.named(names, filters), len(self.used_by(record.id)))
                if shared_size:
                    summary.shared_size = describe.shared(record, records)
                if manifests:
                    summary.manifests = await self._variants(record, records)
                summaries.append(summary)
        return sorted(summaries, key=lambda image: image.created, reverse=True)

    async def _variants(self, record: ImageRecord, records: builtins.list[ImageRecord]) -> builtins.list[ManifestSummary]:
        from moby_tui.engine.resources.images.variants import variants

        users = [container for container, _ in self.used_by(record.id)]
        return await in_thread(variants, record, {other.manifest: other for other in records}, self._content, users)

    async def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """Raises ``NotFound``, ``Unauthorized``, ``Unavailable``, ``StorageFull``; lines as Docker's. ``all_tags``: of the repository."""
        from moby_tui.engine.resources.images import hello
        from moby_tui.engine.resources.images import platform as platforms

        wanted = parse(reference)
        if all_tags and (wanted.tag or wanted.digest):
            raise InvalidArgument("tag can't be used with --all-tags/-a")
        wanted = wanted.tagged()
        platforms.parse(platform)
        if wanted.path == "library/scratch":
            raise Forbidden("'scratch' is a reserved name")
        report = self._report()
        if hello.is_hello(wanted):
            work = self._transfers.make_hello(report)
        else:
            pull = self._transfers.pull_all if all_tags else self._transfers.pull
            work = pull(wanted, platform, auth, report)
        async with aclosing(report.of(work)) as lines:
            async for line in lines:
                yield line

    async def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """Sends an image to the registry that its name names; ``all_tags``: every tag of the repository that is here; ``platform``: of
        the image's index the one that fits.

        Raises ``NotFound``, ``Unauthorized``, ``Unavailable``, the first behind a line that says where it would go if no platform is asked
        for; lines as Docker's."""
        from moby_tui.schema.image import Progress

        parsed = parse(reference)
        if parsed.digest:
            raise InvalidArgument("cannot push a digest reference")
        if all_tags and parsed.tag:
            raise InvalidArgument("tag can't be used with --all-tags/-a")
        report = self._report()
        first = Progress(status=f"The push refers to repository [{parsed.domain}/{parsed.path}]")
        if not platform:
            yield first
        named = self._names.pushed(parsed, all_tags=all_tags)
        wanted = [(name, self._of_platform(record, name.familiar, platform)) for name, record in named]
        if platform:
            yield first
        async with aclosing(report.of(self._transfers.push(wanted, auth, report))) as lines:
            async for line in lines:
                yield line

    async def load(
        self, archive: AsyncIterator[bytes], *, quiet: bool = False, platforms: Sequence[str] = ()
    ) -> AsyncIterator[Progress]:
        """Loads the images of a docker-archive or OCI layout, or those of some platforms. There is no progress to keep quiet about but
        the result."""
        report = self._report()
        async with aclosing(report.of(self._transfers.load(archive, platforms, report))) as lines:
            async for line in lines:
                yield line

    async def save(self, refs: Sequence[str], *, platforms: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """A tar of images with the names that were asked for; a repository without a tag stands for all its tags; ``platforms``: of
        each image's index those. Raises ``NotFound``."""
        if not refs:
            raise InvalidArgument("name at least one image to save")
        images = self._saved(refs, platforms)
        async with aclosing(self._transfers.save(images)) as pieces:
            async for piece in pieces:
                yield piece

    def _saved(self, refs: Sequence[str], platforms: Sequence[str]) -> builtins.list[Saved]:
        from moby_tui.engine.resources.images.transfer.save import Saved

        images: dict[str, Saved] = {}
        for ref in refs:
            for named, reference in self._names.named(ref):
                for platform in platforms or [""]:
                    try:
                        record = self._of_platform(named, ref, platform)
                    except NotFound as error:  # to Docker it is no missing image
                        raise MobyError(f"no suitable export target found for platform {platform}") from error
                    image = images.setdefault(record.id, Saved(record))
                    if reference is not None and reference not in image.references:
                        image.references.append(reference)
        return [*images.values()]

    async def import_tar(
        self,
        archive: AsyncIterator[bytes] | str,
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> AsyncIterator[Progress]:
        """The last line's status is the image's id. Raises ``InvalidArgument``, ``NotFound``, ``Unreachable``."""
        from moby_tui.engine.resources.images import platform as platforms

        target = parse_tag(reference) if reference else None
        wanted = platforms.parse(platform)
        if wanted.os != "linux":
            raise InvalidArgument("operating system is not supported")
        config = _new_config(wanted, message, changes or [])
        report = self._report()
        async with aclosing(report.of(self._transfers.import_tar(archive, target, config, report))) as lines:
            async for line in lines:
                yield line

    def _of_platform(self, record: ImageRecord, name: str, platform: str) -> ImageRecord:
        """The image of an index for a platform; the image itself without a platform. Raises ``NotFound``."""
        if not platform:
            return record
        from moby_tui.engine.resources.images.variants import of_platform

        present = {other.manifest: other for other in self._rows.all()}
        return of_platform(record, name, platform, present, self._content)

    async def inspect(self, ref: str, *, platform: str = "") -> ImageInspect:
        from moby_tui.engine.resources.images import describe

        record = self._of_platform(self._names.find(ref), ref, platform)
        return describe.inspection(record, self._rows.references_of(record.id), self._content.read(record.id))

    async def history(self, ref: str, *, platform: str = "") -> builtins.list[ImageHistory]:
        from moby_tui.engine.resources.images import describe

        record = self._of_platform(self._names.find(ref), ref, platform)
        return describe.history(record, self._rows.references_of(record.id))

    async def explore(self, ref: str) -> ImageExploration:
        """What each layer adds, changes and deletes. Raises ``NotFound``."""
        from moby_tui.engine.resources.images.explore import explore

        record = self._names.find(ref)
        with self._transfers.arrival():
            return await in_thread(explore, record, self._diffs(record))

    async def layer_files(self, ref: str, *, layer: int | None = None) -> AsyncIterator[FileChange]:
        """Yields the paths that one layer, or each layer, changes, directory by directory. Raises ``NotFound``."""
        from moby_tui.engine.resources.images.explore import changes

        record = self._names.find(ref)
        self._check_layer(ref, record, layer)
        with self._transfers.arrival():
            files = changes(self._diffs(record), layer)
            while batch := await in_thread(lambda: [*islice(files, _BATCH)]):
                for change in batch:
                    yield change

    async def files(self, ref: str, path: str = "/", *, layer: int | None = None) -> AsyncIterator[FolderEntry]:
        """Yields what is in a folder; with ``layer`` of what it and those below it show. Raises ``NotFound``, ``InvalidArgument``."""
        from moby_tui.engine.archive.listing import listing

        with self._shown(ref, layer) as root:
            entries = listing(root, path, "the image")
            while batch := await in_thread(lambda: [*islice(entries, _BATCH)]):
                for entry in batch:
                    yield entry

    async def archive_stat(self, ref: str, path: str, *, layer: int | None = None) -> PathStat:
        """As of a container's path. Raises ``NotFound``, ``InvalidArgument``."""
        from moby_tui.engine.archive import files

        with self._shown(ref, layer) as root:
            return await in_thread(files.stat, root, path, "the image")

    async def archive_get(self, ref: str, path: str, *, layer: int | None = None) -> tuple[PathStat, AsyncIterator[bytes]]:
        """As of a container's path: a tar of it. Raises ``NotFound``, ``InvalidArgument``."""
        return await self.archive_stat(ref, path, layer=layer), self._read_archive(ref, path, layer)

    async def _read_archive(self, ref: str, path: str, layer: int | None) -> AsyncIterator[bytes]:
        from moby_tui.engine.archive import files

        with self._shown(ref, layer) as root:
            pieces = files.get(root, path, of="the image")
            while (piece := await in_thread(next, pieces, None)) is not None:
                yield piece

    @contextmanager
    def _shown(self, ref: str, layer: int | None) -> Iterator[int]:
        """A read-only mount of an image's layers, up to one or all, that no mount table shows; they stay until the end of the block."""
        from moby_tui.engine.kernel.trees import closing
        from moby_tui.engine.resources.images.snapshots import snapshot

        record = self._names.find(ref)
        self._check_layer(ref, record, layer)
        diff_ids = record.config.rootfs.diff_ids
        with self._transfers.arrival():
            root = snapshot.mount(self.layers.stack(diff_ids if layer is None else diff_ids[: layer + 1]), None, None)
            with closing(root):
                yield root

    @staticmethod
    def _check_layer(ref: str, record: ImageRecord, layer: int | None) -> None:
        count = len(record.config.rootfs.diff_ids)
        if layer is not None and not 0 <= layer < count:
            raise InvalidArgument(f"{ref} has no layer {layer}: the lowest is 0, the highest {count - 1}")

    async def verify(self, ref: str, options: VerifyOptions, *, auth: RegistryAuth | None = None) -> Verification:
        """Verifies an image's signatures, which its registry holds, with keys. The image is the local one, else the registry's.

        Raises ``Forbidden`` if no signature is valid, ``InvalidArgument``, ``NotFound``, ``Unavailable``.
        """
        from moby_tui.engine.resources.images.provenance.verification import verify
        from moby_tui.engine.resources.images.registry.registry import Mirrors

        reference = self._names.elsewhere(ref)
        async with Mirrors(reference, auth, self.options()) as source:
            digests = self._names.digests_of(reference) or [(await source.manifest(reference.tag)).digest]
            return await verify(reference, digests, source, options)

    async def attestations(
        self, ref: str, *, statements: bool = False, predicate_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Attestation]:
        """The attestations that an image's registry holds. The image is the local one, else the registry's.

        Raises ``NotFound``, ``Unavailable``, ``InvalidArgument`` for a document that cannot be read.
        """
        from moby_tui.engine.resources.images.provenance import attestations
        from moby_tui.engine.resources.images.registry.registry import Mirrors

        reference = self._names.elsewhere(ref)
        async with Mirrors(reference, auth, self.options()) as source:
            digests = self._names.digests_of(reference) or [(await source.manifest(reference.tag)).digest]
            documents = attestations.find(source, digests[0], statements=statements, predicate_type=predicate_type)
            return [attestation async for attestation in documents]

    def _diffs(self, record: ImageRecord) -> builtins.list[Path]:
        return [self.layers.folder(diff_id) / "diff" for diff_id in record.config.rootfs.diff_ids]

    def records(self) -> builtins.list[ImageRecord]:
        return self._rows.all()

    def record(self, ref: str) -> ImageRecord:
        """The row of an image. Raises ``NotFound``, ``InvalidArgument``."""
        return self._names.find(ref)

    def manifests(self, record: ImageRecord) -> builtins.list[str]:
        """The digests of an image's manifest, and of the indexes that it was pulled by."""
        named = (parse(reference).digest for reference in self._rows.references_of(record.id))
        return sorted({record.manifest, *filter(None, named)})

    def adopt(self, record: ImageRecord) -> None:
        """Registers an image that was made on this machine. Does nothing if it is registered."""
        if self._rows.get(record.id) is None:
            self._rows.put(record, [])
            self.tell_creation(record)

    def tell_creation(self, record: ImageRecord) -> None:
        """Publishes that an image was made on this machine."""
        self._tell("create", record.id, record, record.id)

    async def fetch(
        self, reference: str, platform: str, auth: RegistryAuth | None, say: Callable[[Progress], None]
    ) -> ImageRecord:
        """As ``pull``, for any platform. The name keeps meaning the image that it means now."""
        from moby_tui.schema.image import Progress

        record = await self._transfers.fetch(parse(reference).tagged(), platform, auth, self._report())
        say(Progress(status=f"Digest: {record.manifest}"))
        return record

    async def admit_archive(self) -> None:
        """Raises ``Forbidden`` if the signature policy admits no archives: their signatures cannot be checked."""
        await self._transfers.admit_archive()

    async def tag(self, ref: str, target: str) -> None:
        record = self._names.find(ref)
        reference = parse_tag(target)
        if not self._rows.tag(reference.key, record.id):
            raise missing(ref)
        self._tell("tag", record.id, record, reference.familiar)

    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> builtins.list[ImageDeleted]:
        """Removes a name and, with the last one, the image; with ``platforms`` the images of the same index for each of them.

        Raises ``NotFound``, also for a platform that is not here, before anything is removed, and ``Conflict``. ``prune`` means untagged
        parents, which no image has here.
        """
        if not ref.strip():
            raise InvalidArgument("image name cannot be blank")
        named = self._names.find(ref)
        reference = self._names.reference_of(ref)
        removal = self._removal()
        deleted: builtins.list[ImageDeleted] = []
        for record in {
            (image_record := self._of_platform(named, ref, one)).id: image_record for one in platforms or [""]
        }.values():
            if reference is None or record.id != named.id:
                deleted += await removal.by_id(record, force=force)
            else:
                deleted += await removal.by_reference(record, reference, force=force)
        return deleted

    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        return await self._removal().prune(filters, self._names.find)

    async def prunable(self, *, filters: Filters | None = None, gone: Collection[str] = ()) -> Prunable:
        """What ``prune`` would remove now, if the containers ``gone`` were removed."""
        return await self._removal().prunable(filters, self._names.find, gone)

    # For builds

    def unneeded(self, digests: Collection[str], gone: Collection[str] = ()) -> set[str]:
        """The layers and blobs among these that no image uses; the images ``gone`` do not count."""
        return self._removal().unneeded(digests, gone)

    async def discard(self, digests: Collection[str]) -> None:
        """Deletes the layers and blobs among these that no image uses."""
        await self._removal().discard(digests)

    def measure(self, digests: Collection[str]) -> int:
        """Bytes that these layers and blobs take on disk. Blocking."""
        return self._removal().measure(digests)

    @staticmethod
    def _report() -> Report:
        from moby_tui.engine.resources.images.progress import Report

        return Report()

    def _removal(self) -> Removal:
        from moby_tui.engine.resources.images.removal import Removal

        def publish(action: str, record: ImageRecord) -> None:
            self._tell(action, record.id, record, record.id)

        return Removal(self._paths, self._rows, self._content, self.layers, self.used_by, publish, self.cached)

    def _tell(self, action: str, identifier: str, record: ImageRecord, name: str) -> None:
        from moby_tui.engine.resources.images import describe

        self._publish("image", action, identifier, {**describe.labels(record), "name": name})


def _new_config(platform: oci.Platform, message: str, changes: list[str]) -> oci.ImageConfig:
    from moby_tui.engine.resources.images import describe
    from moby_tui.engine.resources.images.changes import apply_changes
    from moby_tui.schema import oci

    execution = oci.ExecutionConfig()
    apply_changes(execution, changes)
    created = describe.now()
    comment = message or "Imported from -"
    return oci.ImageConfig(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        created=created,
        comment=comment,
        config=execution,
        history=[oci.HistoryEntry(created=created, comment=comment)],
    )
