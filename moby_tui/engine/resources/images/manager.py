"""The images of one data root: the door through which the engine, and through it every client, uses them."""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.resources.images import describe, hello, staging, written
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.content import ContentStore, digest_of
from moby_tui.engine.resources.images.layers import LayerStore
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.reference import Reference, parse
from moby_tui.engine.resources.images.removal import Removal, UsedBy
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.engine.store import disk
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.images import ImageRecord, ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageReadOnly
from moby_tui.schema import oci
from moby_tui.schema.base import Filters
from moby_tui.schema.image import (
    ImageDeleted,
    ImageHistory,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    Progress,
    RegistryAuth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moby_tui.engine.resources.images.pull import Image
    from moby_tui.engine.resources.images.save import Saved

Publish = Callable[[str, str, str, dict[str, str]], object]
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_ID_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


class LocalImage(msgspec.Struct, frozen=True):
    """An image ready for a container. ``layers`` are directories for overlayfs, top-most first."""

    id: str
    reference: str
    config: oci.ImageConfig
    layers: list[Path]


class ImageManager:
    """Implements ``Images`` of ``api/client/protocol.py``. Use from the thread of the event loop.

    ``used_by`` is set by the engine: the containers of an image, and whether each runs.
    """

    def __init__(self, paths: Paths, database: Database, publish: Publish) -> None:
        self._paths = paths
        self._publish = publish
        self._rows = ImageRows(database)
        self._content = ContentStore(paths.blobs)
        #: of all who make layers in this engine
        self.layers = LayerStore(paths.layers, paths.staging)
        self._lock = paths.blobs / "lock"
        self.used_by: UsedBy = lambda image_id: []

    # For the engine

    def resolve(self, reference: str) -> LocalImage:
        """The image that a reference, id or unique id prefix names. Raises ``NotFound``, ``InvalidArgument``."""
        record = self._find(reference)
        return LocalImage(record.id, reference, record.config, self.layers.stack(record.config.rootfs.diff_ids))

    async def ensure(self, reference: str, auth: RegistryAuth | None = None, *, platform: str = "") -> LocalImage:
        """As ``resolve``, after a pull where the image is absent."""
        try:
            return self.resolve(reference)
        except NotFound:
            async for _ in self.pull(reference, platform=platform, auth=auth):
                pass
            return self.resolve(reference)

    def count(self) -> int:
        return self._rows.count()

    async def collect_rubbish(self) -> None:
        """Deletes what dead processes left half-made, and, once in a while, old content that no image uses; mends what a power cut took."""
        if isinstance(disk.refusal(self._paths.data_root), StorageReadOnly):
            return
        if any(self._paths.staging.iterdir()):
            await in_thread(staging.collect, self._paths.staging)
        if not written.is_of_this_boot(self._paths.cache / "boot"):
            from moby_tui.engine.resources.images import recovery

            with self._arrival():
                await recovery.remake_lost(self._rows.all(), self._content, self.layers)
            written.note_boot(self._paths.cache / "boot")
        await self._removal().sweep_old()

    async def close(self) -> None:
        """What has been made is written through."""
        await self.layers.close()

    # Images

    async def list(
        self, *, all: bool = False, digests: bool = False, filters: Filters | None = None
    ) -> builtins.list[ImageSummary]:
        """Every image, the newest first; there are no intermediate ones that ``all`` would add, and digests always are told."""
        describe.check_list_filters(filters)
        dangling = describe.flag(filters, "dangling", None)
        references = self._rows.references()
        found = [
            describe.summary(record, references.get(record.id, []), len(self.used_by(record.id)))
            for record in self._rows.all()
            if describe.matches(record, references.get(record.id, []), filters, self._find, dangling=dangling)
        ]
        return sorted(found, key=lambda image: image.created, reverse=True)

    async def pull(self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        """Raises ``NotFound``, ``Unauthorized``, ``Unavailable``, ``StorageFull``; lines as Docker's."""
        wanted = parse(reference).tagged()
        platforms.parse(platform)
        if wanted.path == "library/scratch":
            raise InvalidArgument("'scratch' is a reserved name; it is the empty image, which cannot be pulled")
        report = Report()
        work = self._make_hello(report) if hello.is_hello(wanted) else self._pull(wanted, platform, auth, report)
        async with aclosing(report.of(work)) as lines:
            async for line in lines:
                yield line

    async def push(self, reference: str, *, all_tags: bool = False, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        """Sends an image to the registry that its name names; ``all_tags``: every tag of the repository that is here.

        Raises ``NotFound``, ``Unauthorized``, ``Unavailable``; lines as Docker's."""
        wanted = self._pushed(reference, all_tags=all_tags)
        report = Report()
        async with aclosing(report.of(self._push(wanted, auth, report))) as lines:
            async for line in lines:
                yield line

    def _pushed(self, reference: str, *, all_tags: bool) -> builtins.list[tuple[Reference, ImageRecord]]:
        asked = parse(reference)
        if asked.digest:
            raise InvalidArgument("cannot push a digest reference")
        if all_tags:
            if asked.tag:
                raise InvalidArgument("tag can't be used with --all-tags/-a")
            keys = [(ident, parse(key)) for ident, names in self._rows.references().items() for key in names]
            tags = [(name, self._rows.get(ident)) for ident, name in keys if name.tag and name.repository == asked.repository]
            found = [(name, record) for name, record in tags if record]
            if not found:
                raise NotFound(f"An image does not exist locally with the tag: {asked.familiar_repository}")
            return found
        wanted = asked.tagged()
        record = self._rows.by_reference(wanted.key)
        if record is None:
            raise NotFound(f"An image does not exist locally with the tag: {wanted.familiar}")
        return [(wanted, record)]

    async def _push(
        self, wanted: builtins.list[tuple[Reference, ImageRecord]], auth: RegistryAuth | None, report: Report
    ) -> None:
        from moby_tui.engine.resources.images.hosts import PUSH
        from moby_tui.engine.resources.images.push import Push
        from moby_tui.engine.resources.images.registry import Registry

        first = wanted[0][0]
        report.status(f"The push refers to repository [{first.domain}/{first.path}]")
        sources = self._lenders(first)
        lenders = {lender for lenders in sources.values() for lender in lenders}
        # what is being sent is not swept meanwhile
        with self._arrival():
            async with Registry(first, auth, purpose=PUSH, sources=sorted(lenders)) as registry:
                for reference, record in wanted:
                    digest = await Push(record, registry, self._content, sources, report).run(reference)
                    self._rows.put(record, [reference.at(digest).key])
                    self._tell("push", reference.familiar, record, reference.familiar_repository)

    def _lenders(self, target: Reference) -> dict[str, builtins.list[str]]:
        """For each blob the other repositories of the registry that an image with it was pulled from or pushed to."""
        found: dict[str, builtins.list[str]] = {}
        for ident, keys in self._rows.references().items():
            names = [parse(key) for key in keys]
            paths = {name.path for name in names if name.digest and name.domain == target.domain and name.path != target.path}
            record = self._rows.get(ident) if paths else None
            for digest in record.blobs if record else []:
                found.setdefault(digest, []).extend(sorted(paths))
        return found

    async def load(self, archive: AsyncIterator[bytes], *, quiet: bool = False) -> AsyncIterator[Progress]:
        """Loads the images of a docker-archive or OCI layout. There is no progress to keep quiet about but the result."""
        report = Report()
        async with aclosing(report.of(self._load(archive, report))) as lines:
            async for line in lines:
                yield line

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """A tar of images with the names that were asked for; a repository without a tag stands for all its tags. Raises ``NotFound``."""
        from moby_tui.engine.resources.images import save

        if not refs:
            raise InvalidArgument("name at least one image to save")
        images = self._saved(refs)
        # what is being saved is not swept meanwhile
        with self._arrival():
            pieces = save.archive(images, self._content)
            while (piece := await in_thread(next, pieces, None)) is not None:
                yield piece
        for image in images:
            self._tell("save", image.record.id, image.record, image.record.id)

    def _saved(self, refs: Sequence[str]) -> builtins.list[Saved]:
        from moby_tui.engine.resources.images.save import Saved

        found: dict[str, Saved] = {}
        for ref in refs:
            for record, reference in self._named(ref):
                image = found.setdefault(record.id, Saved(record))
                if reference is not None and reference not in image.references:
                    image.references.append(reference)
        return [*found.values()]

    def _named(self, ref: str) -> Iterator[tuple[ImageRecord, Reference | None]]:
        """The images that a name stands for, each with the name that it has there; an id has none."""
        with suppress(InvalidArgument):
            asked = parse(ref)
            if not asked.tag and not asked.digest:
                known = [(ident, parse(key)) for ident, keys in self._rows.references().items() for key in keys]
                tags = [(ident, name) for ident, name in known if name.repository == asked.repository and name.tag]
                for ident, name in tags:
                    if record := self._rows.get(ident):
                        yield record, name
                if tags:
                    return
        reference = self._reference_of(ref)
        yield self._find(ref), reference if reference and reference.tag else None

    async def import_tar(
        self,
        archive: AsyncIterator[bytes],
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> AsyncIterator[Progress]:
        """Makes a one-layer image of a root file system's tar; the last line's status is its id."""
        target = parse(reference).tagged() if reference else None
        if target and target.digest:
            raise InvalidArgument("cannot import digest reference; give a tag")
        config = _new_config(platforms.parse(platform), message, changes or [])
        report = Report()
        async with aclosing(report.of(self._import(archive, target, config, report))) as lines:
            async for line in lines:
                yield line

    async def inspect(self, ref: str) -> ImageInspect:
        record = self._find(ref)
        return describe.inspection(record, self._rows.references_of(record.id), self._content.read(record.id))

    async def history(self, ref: str) -> builtins.list[ImageHistory]:
        record = self._find(ref)
        return describe.history(record, self._rows.references_of(record.id))

    def record(self, ref: str) -> ImageRecord:
        """The row of an image. Raises ``NotFound``, ``InvalidArgument``."""
        return self._find(ref)

    def adopt(self, record: ImageRecord) -> None:
        """Takes in an image that was made here; nothing where it is there already."""
        if self._rows.get(record.id) is None:
            self._rows.put(record, [])

    async def tag(self, ref: str, target: str) -> None:
        record = self._find(ref)
        reference = parse(target).tagged()
        if reference.digest:
            raise InvalidArgument("refusing to create a tag with a digest reference")
        if reference.familiar_repository == "sha256":
            raise InvalidArgument("refusing to create an ambiguous tag using digest algorithm as name")
        if not self._rows.tag(reference.key, record.id):
            raise describe.missing(ref)
        self._tell("tag", record.id, record, reference.familiar)

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> builtins.list[ImageDeleted]:
        """Raises ``NotFound``, ``Conflict``."""
        record = self._find(ref)
        reference = self._reference_of(ref)
        removal = self._removal()
        if reference is None:
            return await removal.by_id(record, force=force, prune=prune)
        return await removal.by_reference(record, reference, force=force, prune=prune)

    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        return await self._removal().prune(filters, self._find)

    # The work behind

    async def _pull(self, wanted: Reference, platform: str, auth: RegistryAuth | None, report: Report) -> None:
        from moby_tui.engine.resources.images.pull import Pull
        from moby_tui.engine.resources.images.registry import Mirrors

        before = self._rows.by_reference(wanted.key)
        with self._arrival():
            async with Mirrors(wanted, auth) as registry:
                pulled = await Pull(wanted, registry, self._content, self.layers, self._paths.staging, report).run(platform)
            self._rows.put(pulled.record, [wanted.key, wanted.at(pulled.digest).key])
        self._tell("pull", wanted.familiar, pulled.record, wanted.familiar_repository)
        report.status(f"Digest: {pulled.digest}")
        report.status(_outcome(before, pulled.record, wanted))

    async def _make_hello(self, report: Report) -> None:
        """``moby/hello`` comes from nowhere: it is computed."""
        from moby_tui.engine.resources.images import manifest as manifests
        from moby_tui.engine.resources.images.pull import Image

        architecture = platforms.host().architecture
        if not hello.supports(architecture):
            raise NotFound(f"no matching manifest for linux/{architecture} in moby/hello")
        before = self._rows.by_reference(hello.REFERENCE.key)
        report.status("Pulling from moby/hello", "latest")
        tar = hello.layer(architecture)
        config_body, manifest_body = hello.image(architecture, tar)
        document = manifests.read(manifest_body, oci.MEDIA_MANIFEST, "moby/hello")
        assert isinstance(document, oci.Manifest)
        with self._arrival():
            await self.layers.make([tar], digest_of(tar))
            digests = [self._content.write(body, self._paths.staging) for body in (tar, config_body, manifest_body)]
            image = Image(document, digests[-1], manifests.read_config(config_body, 1, "moby/hello"))
            record = self._register(image, [hello.REFERENCE.key, hello.REFERENCE.at(image.digest).key])
        self._tell("pull", hello.REFERENCE.familiar, record, hello.REFERENCE.familiar_repository)
        report.status(f"Digest: {image.digest}")
        report.status(_outcome(before, record, hello.REFERENCE))

    async def _load(self, archive: AsyncIterator[bytes], report: Report) -> None:
        from moby_tui.engine.resources.images.load import Loader, take_apart

        async with staging.claim(self._paths.staging, f"load-{os.urandom(8).hex()}") as folder:
            with self._arrival():
                taken_apart = await take_apart(archive, folder / "members")
                for loaded in await Loader(self._content, self.layers, self._paths.staging).images(taken_apart):
                    record = self._register(loaded.image, [reference.key for reference in loaded.references])
                    self._tell("load", record.id, record, record.id)
                    for reference in loaded.references:
                        report.say(Progress(stream=f"Loaded image: {reference.familiar}\n"))
                    if not loaded.references:
                        report.say(Progress(stream=f"Loaded image ID: {record.id}\n"))

    async def _import(
        self, archive: AsyncIterator[bytes], target: Reference | None, config: oci.ImageConfig, report: Report
    ) -> None:
        from moby_tui.engine.resources.images.load import Loader, receive

        async with staging.claim(self._paths.staging, f"import-{os.urandom(8).hex()}") as folder:
            await receive(archive, folder / "archive")
            with self._arrival():
                loader = Loader(self._content, self.layers, self._paths.staging)
                image = await loader.root_file_system(folder / "archive", folder, config)
                record = self._register(image, [target.key] if target else [])
        self._tell("import", record.id, record, record.id)
        report.status(record.id)

    @contextmanager
    def _arrival(self) -> Iterator[None]:
        """While content arrives, none is swept; and what the disk refuses is told as ours. Then it is written through."""
        try:
            with staging.shared(self._lock), refusals_told():
                yield
        except OSError as error:
            raise MobyError(f"the image store failed: {error}; check the data root {self._paths.data_root}") from error
        finally:
            if written.is_pending():
                self.layers.write_through_soon()

    def _register(self, image: Image, references: builtins.list[str]) -> ImageRecord:
        record = image.record([], self._content, self.layers)
        self._rows.put(record, references)
        return record

    def _removal(self) -> Removal:
        def told(action: str, record: ImageRecord) -> None:
            self._tell(action, record.id, record, record.id)

        return Removal(self._paths, self._rows, self._content, self.layers, self.used_by, told)

    def _tell(self, action: str, identifier: str, record: ImageRecord, name: str) -> None:
        self._publish("image", action, identifier, {**describe.labels(record), "name": name})

    # Names

    def _find(self, ref: str) -> ImageRecord:
        """Docker's order: full id, reference, unique prefix of an id."""
        if (full := _ID.fullmatch(ref)) and (record := self._rows.get("sha256:" + full[1])):
            return record
        if reference := self._reference_of(ref):
            record = self._rows.by_reference(reference.key)
            assert record
            return record
        if prefix := _ID_PREFIX.fullmatch(ref):
            ids = self._rows.by_prefix(prefix[1])
            if len(ids) > 1:
                raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}")
            if ids and (record := self._rows.get(ids[0])):
                return record
        if not _ID_PREFIX.fullmatch(ref):
            parse(ref)  # what cannot be a name is wrong rather than missing
        raise describe.missing(ref)

    def _reference_of(self, ref: str) -> Reference | None:
        """The reference that ``ref`` writes, if the store has it."""
        try:
            reference = parse(ref).tagged()
        except InvalidArgument:
            return None
        return reference if self._rows.by_reference(reference.key) else None


def _new_config(platform: oci.Platform, message: str, changes: list[str]) -> oci.ImageConfig:
    from moby_tui.engine.resources.images.changes import apply_changes

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


def _outcome(before: ImageRecord | None, record: ImageRecord, reference: Reference) -> str:
    if before and before.id == record.id:
        return f"Status: Image is up to date for {reference.familiar}"
    return f"Status: Downloaded newer image for {reference.familiar}"
