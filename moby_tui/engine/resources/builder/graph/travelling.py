"""Exported build caches (``--cache-to``, ``--cache-from``): a list of steps, and the layers of their images.

In an image it is a part of its configuration (``inline``: the steps of the last stage, whose layers the image has); in a registry or an
OCI layout it is a manifest of its own, whose layers are those of the steps. Each list is there in two forms: BuildKit's
(``llb/records.py``), of the steps that have a name there, and this engine's own, with the whole configuration of each step. What comes from
elsewhere is hostile: every layer is verified by its digest, and what a step is said to have made is believed for the one build that names
the source.
"""

from __future__ import annotations

import asyncio
import base64
import re
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.builder.llb import records
from moby_tui.engine.resources.builder.llb.records import Records
from moby_tui.engine.resources.builder.llb.vertices import Names
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore, Ingest, digest_of
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.reference import is_digest
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.registry.registry import Mirrors, Registry
    from moby_tui.engine.resources.images.transfer.load import Archive

T = TypeVar("T")

ANNOTATION = "dev.moby.build.cache.v1"
MEDIA_TYPE = "application/vnd.moby.build.cache.v1+json"
#: The largest list of steps in bytes, decompressed.
_LIMIT = 64 << 20
_RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
#: The largest list in an annotation: registries accept manifests of four mebibytes.
_INLINE_LIMIT = 2 << 20


class Steps(msgspec.Struct, frozen=True):
    """A list of steps: for each key the image that the step made."""

    steps: dict[str, BuiltImage]


def of_image(trail: Mapping[str, BuiltImage], image: BuiltImage) -> dict[str, BuiltImage]:
    """The steps whose layers are the first layers of an image."""
    layers = image.config.rootfs.diff_ids
    return {
        key: step
        for key, step in trail.items()
        if step.config.rootfs.diff_ids == layers[: len(step.config.rootfs.diff_ids)]
        and [blob.digest for blob in step.blobs] == [blob.digest for blob in image.blobs[: len(step.blobs)]]
    }


def annotation(steps: dict[str, BuiltImage]) -> dict[str, str]:
    """The list as an annotation; None if it is too large."""
    packed = base64.b85encode(zlib.compress(encode(Steps(steps)), 9)).decode()
    return {ANNOTATION: packed} if len(packed) <= _INLINE_LIMIT else {}


def from_annotation(text: str) -> dict[str, BuiltImage]:
    """Raises ``InvalidArgument``."""
    try:
        unpacking = zlib.decompressobj()
        body = unpacking.decompress(base64.b85decode(text), _LIMIT)
        if unpacking.unconsumed_tail:
            raise InvalidArgument("the build cache has too many steps")
    except (ValueError, zlib.error) as error:
        raise InvalidArgument("the build cache cannot be read") from error
    return read_steps(body)


def read_steps(body: bytes) -> dict[str, BuiltImage]:
    """Parses a list of steps. Raises ``InvalidArgument`` for a malformed one, or one that contradicts itself."""
    try:
        steps = decode(body, Steps).steps
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the build cache cannot be read: {error}") from error
    for image in steps.values():
        digests = [*image.config.rootfs.diff_ids, *(blob.digest for blob in image.blobs)]
        if len(image.blobs) != len(image.config.rootfs.diff_ids) or not all(map(is_digest, digests)):
            raise InvalidArgument("the build cache cannot be read: a step's layers do not agree")
    return {key: BuiltImage(digest_of(encode(image.config)), image.config, image.blobs, key) for key, image in steps.items()}


@dataclass(frozen=True)
class Document:
    """An exported cache: ``layers`` are in the content store, ``bodies`` are its other blobs but for the manifest."""

    manifest: oci.Manifest
    layers: list[oci.Descriptor]
    bodies: list[tuple[oci.Descriptor, bytes]]


def document(steps: Mapping[str, BuiltImage], names: Mapping[str, Names]) -> Document:
    """A cache of steps in both forms. The configuration is the list in BuildKit's form; the one in this engine's is the last layer, which
    BuildKit does not ask for. ``names`` has those of the steps that BuildKit can find."""
    listed, whole = encode(_written(steps, names).config), encode(Steps(dict(steps)))
    layers = {each.blob.digest: records.described(each) for step in steps.values() for each in _layers(step)}
    config = oci.Descriptor(media_type=records.MEDIA_TYPE, digest=digest_of(listed), size=len(listed))
    last = oci.Descriptor(media_type=MEDIA_TYPE, digest=digest_of(whole), size=len(whole))
    ordered = [layers[digest] for digest in sorted(layers)]
    manifest = oci.Manifest(schema_version=2, media_type=oci.MEDIA_MANIFEST, config=config, layers=[*ordered, last])
    return Document(manifest, ordered, [(config, listed), (last, whole)])


def with_steps(image: BuiltImage, steps: Mapping[str, BuiltImage], names: Mapping[str, Names]) -> BuiltImage:
    """The same image with the list of the steps that have made it, in BuildKit's form, in its configuration."""
    config = records.inline(image.config, _written(steps, names))
    return msgspec.structs.replace(image, id=digest_of(encode(config)), config=config)


def _written(steps: Mapping[str, BuiltImage], names: Mapping[str, Names]) -> records.Writer:
    writer = records.Writer()
    for key, step in steps.items():
        for vertex in names.get(key, ()):
            writer.add(vertex, _layers(step), _moment(step))
    return writer


def _layers(step: BuiltImage) -> list[Layer]:
    return [Layer(diff_id, blob) for diff_id, blob in zip(step.config.rootfs.diff_ids, step.blobs, strict=True)]


def _moment(step: BuiltImage) -> str:
    """When the step was made, if its configuration says so as RFC 3339 does: a cache from elsewhere may say anything."""
    text = step.config.created or ""
    return text if re.fullmatch(_RFC_3339, text, re.ASCII) else ""


def layout(cache: Document, content: ContentStore) -> Iterator[bytes]:
    """A tar of the OCI layout. Blocking."""
    from moby_tui.engine.resources.images.transfer import save

    written = encode(cache.manifest)
    index = oci.Index(
        schema_version=2,
        media_type=oci.MEDIA_INDEX,
        manifests=[oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest=digest_of(written), size=len(written))],
    )
    bodies = [written, *(body for _, body in cache.bodies)]
    return save.layout(index, bodies, [layer.digest for layer in cache.layers], content)


Fetch = Callable[[BuiltImage], Awaitable[None]]


class Travelled:
    """An imported cache; implements ``cache.Elsewhere``. ``fetch`` fetches the layers of an image."""

    def __init__(self, steps: dict[str, BuiltImage], fetch: Fetch, is_whole: Callable[[BuiltImage], bool]) -> None:
        self._steps = steps
        self._fetch = fetch
        self._is_whole = is_whole
        self._fetching = asyncio.Lock()

    async def find(self, key: str) -> BuiltImage | None:
        image = self._steps.get(key)
        if image is None:
            return None
        async with self._fetching:
            if not self._is_whole(image):
                try:
                    await self._fetch(image)
                except MobyError:
                    # the step is carried out instead
                    self._steps.pop(key, None)
                    return None
        return image if self._is_whole(image) else None


class Listing:
    """An imported cache in BuildKit's form; implements ``cache.Listed``. ``fetch`` fetches the layers of an image."""

    def __init__(self, listed: Records, fetch: Fetch, is_whole: Callable[[BuiltImage], bool], layers: LayerStore) -> None:
        self._records = listed
        self._fetch = fetch
        self._is_whole = is_whole
        self._store = layers
        self._fetching = asyncio.Lock()

    async def layers(self, names: Names, below: BuiltImage) -> list[Layer] | None:
        present = below.config.rootfs.diff_ids
        for layers in self._records.images(names):
            diff_ids = [layer.diff_id for layer in layers]
            if diff_ids[: len(present)] == present and len(diff_ids) <= len(present) + 1:
                more = layers[len(present) :]
                if await self._fetched(more):
                    await in_thread(self._store.adopt_attributes, diff_ids)
                    return more
        return None

    async def _fetched(self, layers: list[Layer]) -> bool:
        """False for a layer that cannot be had: the step is carried out instead."""
        rootfs = oci.RootFs(diff_ids=[layer.diff_id for layer in layers])
        alone = BuiltImage("", oci.ImageConfig(architecture="", os="", rootfs=rootfs), [layer.blob for layer in layers])
        async with self._fetching:
            try:
                if not self._is_whole(alone):
                    await self._fetch(alone)
            except MobyError:
                return False
        return self._is_whole(alone)


@dataclass
class Exported:
    """What a cache has: steps in this engine's form, lists in BuildKit's."""

    steps: dict[str, BuiltImage] = field(default_factory=dict)
    lists: list[Records] = field(default_factory=list)

    def opened(self, fetch: Fetch, is_whole: Callable[[BuiltImage], bool], layers: LayerStore) -> Opened:
        travelled = [Travelled(self.steps, fetch, is_whole)] if self.steps else []
        return Opened(travelled, [Listing(each, fetch, is_whole, layers) for each in self.lists])


@dataclass
class Opened:
    """Imported caches, ready to be asked."""

    travelled: list[Travelled] = field(default_factory=list)
    listed: list[Listing] = field(default_factory=list)


class Store(Protocol):
    """Where a cache lies."""

    async def manifest(self, digest: str) -> bytes:
        """Raises ``NotFound``, ``InvalidArgument``."""
        ...

    async def blob(self, blob: oci.Descriptor) -> bytes:
        """A small blob, verified. Raises ``NotFound``, ``InvalidArgument``."""
        ...


async def exported(store: Store, which: str) -> Exported:
    """Reads a cache, or an image that has one inline. Raises ``NotFound``, ``InvalidArgument``, and the errors of the store."""
    body = await store.manifest(which)
    for _ in range(2):
        index = _read(body, oci.Index) if b'"manifests"' in body else None
        if index is None:
            break
        listed = next((each for each in index.manifests if each.media_type == records.MEDIA_TYPE), None)
        if listed is not None:
            return Exported(lists=[records.read(await _blob(store, listed), index.manifests)])
        chosen = platforms.choose(platforms.host(), index.manifests)
        if chosen is None:
            raise InvalidArgument("the build cache is for other platforms")
        body = await store.manifest(chosen.digest)
    return await _of_manifest(store, _read(body, oci.Manifest))


async def _of_manifest(store: Store, manifest: oci.Manifest) -> Exported:
    config = await _blob(store, manifest.config)
    if manifest.config.media_type == records.MEDIA_TYPE:
        own = [await _blob(store, layer) for layer in manifest.layers[-1:] if layer.media_type == MEDIA_TYPE]
        steps = await in_thread(read_steps, own[0]) if own else {}
        return Exported(steps, [records.read(config, manifest.layers)])
    text = manifest.annotations.get(ANNOTATION, "")
    inline = records.read_inline(config, manifest.layers)
    return Exported(from_annotation(text) if text else {}, [inline] if inline else [])


async def _blob(store: Store, blob: oci.Descriptor) -> bytes:
    if blob.size > _LIMIT:
        raise InvalidArgument("the build cache has too many steps")
    return await store.blob(blob)


@dataclass
class InRegistry:
    registry: Registry | Mirrors
    scratch_of: Callable[[], Ingest]

    async def manifest(self, digest: str) -> bytes:
        return (await self.registry.manifest(digest)).body

    async def blob(self, blob: oci.Descriptor) -> bytes:
        with self.scratch_of() as ingest:
            await self.registry.blob(blob, ingest, lambda _: None)
            return await in_thread(lambda: b"".join(ingest.follow()))


@dataclass
class InArchive:
    archive: Archive

    async def manifest(self, digest: str) -> bytes:
        return self.archive.member("blobs/" + digest.replace(":", "/")).read("manifest")

    async def blob(self, blob: oci.Descriptor) -> bytes:
        return await in_thread(self.archive.blob(blob).file.read_bytes)

    def manifests(self) -> list[str]:
        """The digests of the manifests in the layout. Raises ``InvalidArgument``."""
        index = _read(self.archive.member("index.json").read("index"), oci.Index)
        return [descriptor.digest for descriptor in index.manifests]


@dataclass
class InContent:
    """Of a local image."""

    content: ContentStore

    async def manifest(self, digest: str) -> bytes:
        return await in_thread(self.content.read, digest)

    async def blob(self, blob: oci.Descriptor) -> bytes:
        return await in_thread(self.content.read, blob.digest)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return decode(body, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the build cache's manifest cannot be read: {error}") from error


async def from_members(archive: Archive, image: BuiltImage, layers: LayerStore, content: ContentStore) -> None:
    """Loads the layers of an image from an OCI layout."""
    for diff_id, blob in zip(image.config.rootfs.diff_ids, image.blobs, strict=True):
        member = archive.blob(blob)
        await layers.make_of(member.file, diff_id)
        if not content.has(blob.digest):
            await in_thread(content.adopt, member.file, blob.digest)
    await in_thread(layers.adopt_attributes, image.config.rootfs.diff_ids)


async def publish(
    registry: Registry, which: str, cache: Document, content: ContentStore, staging_write: Callable[[bytes], str]
) -> None:
    """Sends the missing blobs, then the manifest."""
    for _, body in cache.bodies:
        await in_thread(staging_write, body)
    for blob in (*cache.manifest.layers, cache.manifest.config):
        if not await registry.has_blob(blob.digest):
            await registry.upload(blob, content.path(blob.digest), lambda _: None)
    await registry.put_manifest(which, oci.MEDIA_MANIFEST, encode(cache.manifest))
