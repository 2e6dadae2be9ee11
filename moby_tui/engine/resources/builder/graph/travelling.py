"""Exported build caches (``--cache-to``, ``--cache-from``): a list of steps, and the layers of their images.

In an image it is an annotation of the manifest (``inline``: the steps of the last stage, whose layers the image has); in a registry or an OCI
layout it is a manifest of its own, whose configuration lists the steps and whose layers are theirs. The form is this engine's own: BuildKit's
cache manifests are not read, and it does not read these. What comes from elsewhere is hostile: every layer is verified by its
digest, and what a step is said to have made is believed for the one build that names the source.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from moby_tui.engine.resources.builder.image import BuiltImage
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
_BUILDKITS = "application/vnd.buildkit.cacheconfig.v0"
#: The largest list of steps in bytes, decompressed.
_LIMIT = 64 << 20
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


def document(steps: dict[str, BuiltImage]) -> tuple[bytes, oci.Manifest]:
    """The list of steps, and the manifest that has it as its configuration."""
    body = encode(Steps(steps))
    layers = {blob.digest: blob for step in steps.values() for blob in step.blobs}
    config = oci.Descriptor(media_type=MEDIA_TYPE, digest=digest_of(body), size=len(body))
    return body, oci.Manifest(
        schema_version=2, media_type=oci.MEDIA_MANIFEST, config=config, layers=[layers[digest] for digest in sorted(layers)]
    )


def layout(steps: dict[str, BuiltImage], content: ContentStore) -> Iterator[bytes]:
    """A tar of the OCI layout. Blocking."""
    from moby_tui.engine.resources.images.transfer import save

    body, manifest = document(steps)
    written = encode(manifest)
    index = oci.Index(
        schema_version=2,
        media_type=oci.MEDIA_INDEX,
        manifests=[oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest=digest_of(written), size=len(written))],
    )
    return save.layout(index, [written, body], [layer.digest for layer in manifest.layers], content)


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


async def from_registry(registry: Registry | Mirrors, which: str, scratch_of: Callable[[], Ingest]) -> dict[str, BuiltImage]:
    """The steps of a cache in a registry. Raises ``NotFound``, ``InvalidArgument``, and the errors of ``Registry``."""
    body = (await registry.manifest(which)).body
    for _ in range(2):
        index = _read(body, oci.Index) if b'"manifests"' in body else None
        if index is None:
            break
        refuse_buildkits(index)
        chosen = platforms.choose(platforms.host(), index.manifests)
        if chosen is None:
            raise InvalidArgument("the build cache is for other platforms")
        body = (await registry.manifest(chosen.digest)).body
    manifest = _read(body, oci.Manifest)
    if manifest.config.media_type != MEDIA_TYPE:
        refuse_buildkits(manifest)
        return _of_manifest(manifest)
    if manifest.config.size > _LIMIT:
        raise InvalidArgument("the build cache has too many steps")
    with scratch_of() as ingest:
        await registry.blob(manifest.config, ingest, lambda _: None)
        return await in_thread(lambda: read_steps(b"".join(ingest.follow())))


def from_archive(archive: Archive) -> dict[str, BuiltImage]:
    """The steps of a cache in an OCI layout. Blocking. Raises ``InvalidArgument``."""
    found: dict[str, BuiltImage] = {}
    for descriptor in _read(archive.member("index.json").read("index"), oci.Index).manifests:
        manifest = _read(archive.blob(descriptor).read("manifest"), oci.Manifest)
        if manifest.config.media_type == MEDIA_TYPE:
            member = archive.blob(manifest.config)
            if member.size > _LIMIT:
                raise InvalidArgument("the build cache has too many steps")
            found |= read_steps(member.file.read_bytes())
        else:
            refuse_buildkits(manifest)
            found |= _of_manifest(manifest)
    return found


def from_content(content: ContentStore, manifest: str) -> dict[str, BuiltImage]:
    """The steps of a cache in a local image. Blocking."""
    return _of_manifest(_read(content.read(manifest), oci.Manifest))


def refuse_buildkits(document: oci.Manifest | oci.Index) -> None:
    """Raises ``InvalidArgument`` for a cache of BuildKit's."""
    named = document.manifests if isinstance(document, oci.Index) else [document.config]
    if any(descriptor.media_type == _BUILDKITS for descriptor in named):
        raise InvalidArgument(
            "BuildKit wrote it, and names each step by the digest of its own graph of operations (LLB), which this engine does not make"
        )


def _of_manifest(manifest: oci.Manifest) -> dict[str, BuiltImage]:
    text = manifest.annotations.get(ANNOTATION, "")
    return from_annotation(text) if text else {}


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
    registry: Registry, which: str, steps: dict[str, BuiltImage], content: ContentStore, staging_write: Callable[[bytes], str]
) -> None:
    """Sends the missing blobs, then the manifest."""
    body, manifest = document(steps)
    await in_thread(staging_write, body)
    for blob in (*manifest.layers, manifest.config):
        if not await registry.has_blob(blob.digest):
            await registry.upload(blob, content.path(blob.digest), lambda _: None)
    await registry.put_manifest(which, oci.MEDIA_MANIFEST, encode(manifest))
