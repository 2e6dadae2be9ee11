"""One pull: resolves a reference, downloads blobs, and unpacks layers into the store."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images import wire
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.registry.registry import Mirrors, Registry
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store import partial, staging
from moby_tui.engine.resources.images.store.content import ContentStore, Ingest, digest_of
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import all_of, in_thread, settled
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull, Unavailable
from moby_tui.reference import Reference
from moby_tui.schema import oci

_SHORT_ID = 12
_PIECE = 1 << 20
#: Limits on nested indexes: their depth below the pulled one, and their number.
_DEEPEST_INDEX = 2
_MOST_LISTINGS = 50


@dataclass(frozen=True)
class Pulled:
    """The image, and the digest that the reference resolved to (of the index if there is one)."""

    record: ImageRecord
    digest: str


@dataclass(frozen=True)
class Image:
    """An image's manifest, the manifest's digest, and its configuration."""

    manifest: oci.Manifest
    digest: str
    config: oci.ImageConfig

    def record(self, further_blobs: list[str], content: ContentStore, layers: LayerStore) -> ImageRecord:
        """The database row of an image whose layers are all there."""
        sizes = [layers.size(diff_id) for diff_id in self.config.rootfs.diff_ids]
        own = [self.digest, self.manifest.config.digest, *(descriptor.digest for descriptor in self.manifest.layers)]
        return ImageRecord(
            id=self.manifest.config.digest,
            manifest=self.digest,
            config=wire.config_to_keep(self.config),
            size=sum(sizes),
            layer_sizes=sizes,
            blobs=sorted({digest for digest in own + further_blobs if content.has(digest)}),
        )


class Pull:
    """One pull of one reference."""

    def __init__(
        self,
        reference: Reference,
        registry: Registry | Mirrors,
        content: ContentStore,
        layers: LayerStore,
        folder: Path,
        report: Report,
        admit: Callable[[list[str]], Awaitable[None]],
        slots: asyncio.Semaphore,
    ) -> None:
        """``admit`` is called after the manifest and before any layer is fetched, and raises if the policy refuses the image: it
        gets the digests of the index and the manifest. ``slots`` is held while a layer is fetched."""
        self._reference = reference
        self._registry = registry
        self._content = content
        self._layers = layers
        self._staging = folder
        self._report = report
        self._admit = admit
        self._slots = slots
        self._listings = 0
        self._silent = False

    async def run(self, platform: str) -> Pulled:
        """Fetches what is missing. Raises ``MobyError``; complete blobs and layers stay for the next try, incomplete layers do not."""
        reference = self._reference
        # what the registry refuses is an error of the request, not of a pull that has begun
        top = await self._registry.manifest(reference.digest or reference.tag)
        self._report.status(f"Pulling from {_remote_name(reference)}", reference.tag or reference.digest)
        bodies = [top.body]
        document = manifests.read(top.body, top.media_type, reference.familiar)
        if isinstance(document, oci.Index):
            document, inner = await self._choose(document, platforms.parse(platform))
            bodies += inner
        await self._admit([top.digest, digest_of(bodies[-1])])
        is_known = self._content.has(document.config.digest)
        config_body = await self._fetch_config(document.config)
        config = manifests.read_config(config_body, len(document.layers), reference.familiar)
        _check_platform(config, platform, reference)
        # as dockerd: of an image that is here nothing is told of its layers
        self._silent = is_known and all(map(self._layers.has, config.rootfs.diff_ids))
        await self.fetch_layers(document.layers, config.rootfs.diff_ids)
        return await in_thread(self._record, document, config, bodies, top.digest)

    async def _choose(self, index: oci.Index, wanted: oci.Platform, depth: int = 0) -> tuple[oci.Manifest, list[bytes]]:
        """The manifest for the platform, and the bodies of the indexes above it, with its own as the last.

        An index may list further ones (OCI image index, ``manifests``)."""
        chosen = platforms.choose(wanted, index.manifests)
        if chosen is not None:
            document, body = await self._fetch_nested(chosen)
            if isinstance(document, oci.Manifest):
                return document, [body]
            return await self._inner(document, body, wanted, depth)
        for descriptor in index.manifests:
            if descriptor.media_type in manifests.INDEX_TYPES and descriptor.platform is None:
                document, body = await self._fetch_nested(descriptor)
                assert isinstance(document, oci.Index)
                with suppress(NotFound):
                    return await self._inner(document, body, wanted, depth)
        raise NotFound(
            f"no matching manifest for {platforms.text(wanted)} in the manifest list entries of {self._reference.familiar}"
        )

    async def _inner(self, index: oci.Index, body: bytes, wanted: oci.Platform, depth: int) -> tuple[oci.Manifest, list[bytes]]:
        if depth == _DEEPEST_INDEX:
            raise InvalidArgument(f"{self._reference.familiar} has an index within an index within an index; refused")
        document, bodies = await self._choose(index, wanted, depth + 1)
        return document, [body, *bodies]

    async def _fetch_nested(self, descriptor: oci.Descriptor) -> tuple[oci.Manifest | oci.Index, bytes]:
        """Fetches a nested index, and checks it against its descriptor. The number is bounded for the whole pull."""
        name = self._reference.familiar
        self._listings += 1
        if self._listings > _MOST_LISTINGS:
            raise InvalidArgument(f"{name} lists more than {_MOST_LISTINGS} indexes without a platform; refused")
        fetched = await self._registry.manifest(descriptor.digest)
        if len(fetched.body) != descriptor.size:
            size = len(fetched.body)
            raise MobyError(f"manifest {descriptor.digest} has {size} bytes where the index says {descriptor.size}; refused")
        document = manifests.read(fetched.body, fetched.media_type or descriptor.media_type, name)
        if (descriptor.media_type in manifests.INDEX_TYPES) != isinstance(document, oci.Index):
            raise InvalidArgument(
                f"the index of {name} calls {descriptor.digest} {descriptor.media_type}, which it is not; refused"
            )
        return document, fetched.body

    async def _fetch_config(self, descriptor: oci.Descriptor) -> bytes:
        if not self._content.has(descriptor.digest):
            async with staging.claim(self._staging, f"blob-{_hex(descriptor)}") as folder:
                with Ingest(folder / "blob") as ingest:
                    await self._registry.blob(descriptor, ingest, lambda _: None)
                    await in_thread(ingest.commit, self._content, descriptor.digest, descriptor.size)
        return await in_thread(self._content.read, descriptor.digest)

    # Layers

    async def fetch_layers(self, descriptors: list[oci.Descriptor], diff_ids: list[str]) -> None:
        """Fetches and unpacks all layers in parallel, with three downloads at a time: they do not depend on each other."""
        wanted = dict(zip(diff_ids, descriptors, strict=True))
        self._check_space([descriptor.size for diff_id, descriptor in wanted.items() if not self._layers.has(diff_id)])
        for descriptor in wanted.values():
            if not self._silent:
                self._report.status("Pulling fs layer", _short(descriptor))
        try:
            async with all_of() as group:
                for diff_id, descriptor in wanted.items():
                    group.create_task(self._fetch_layer(descriptor, diff_id))
        except StorageFull:
            # the disk is full: free the space rather than keep it for a second try
            await in_thread(partial.collect, self._staging, most=0)
            raise
        await in_thread(self._layers.adopt_attributes, diff_ids)

    def _check_space(self, sizes: list[int]) -> None:
        """Raises ``StorageFull`` if the image is larger than the free space."""
        status = os.statvfs(self._staging)
        free = status.f_bavail * status.f_frsize
        if sum(sizes) > free:
            raise StorageFull(
                f"no space left for {self._reference.familiar}: its layers have {sum(sizes)} bytes compressed, {free} are free;"
                " remove what is not needed (moby system prune) or use another data root"
            )

    async def _fetch_layer(self, descriptor: oci.Descriptor, diff_id: str) -> None:
        """If the kept bytes of an earlier pull turn out to be damaged, fetches the layer anew, once."""
        layer = _short(descriptor)
        if self._layers.has(diff_id):
            await self._fetch_form(descriptor, diff_id)
            return
        if self._slots.locked():
            self._report.status("Waiting", layer)
        async with staging.claim(self._staging, self._layers.claim_name(diff_id)) as folder:
            if self._layers.has(diff_id):  # another process has made it while we waited for the claim
                await self._fetch_form(descriptor, diff_id)
                return
            try:
                await self._make_layer(descriptor, diff_id, folder / "kept", fresh=False)
            except _Damaged:
                await self._make_layer(descriptor, diff_id, folder / "fresh", fresh=True)
        self._report.status("Pull complete", layer)

    async def _fetch_form(self, descriptor: oci.Descriptor, diff_id: str) -> None:
        """Fetches the blob of a layer that is there, if it came in another compression: push and save need the manifest's blob."""
        layer = _short(descriptor)
        if not (self._content.has(descriptor.digest) or manifests.is_foreign(descriptor)):
            async with self._slots, staging.claim(self._staging, f"blob-{_hex(descriptor)}") as folder:
                with Ingest(folder / "blob") as ingest:
                    count = self._report.counter("Downloading", layer, descriptor.size)
                    await self._registry.blob(descriptor, ingest, count)
                    await in_thread(_verify, folder / "blob", diff_id)
                    await in_thread(ingest.commit, self._content, descriptor.digest, descriptor.size)
        if not self._silent:
            self._report.status("Already exists", layer)

    async def _make_layer(self, descriptor: oci.Descriptor, diff_id: str, folder: Path, *, fresh: bool) -> None:
        """Raises ``_Damaged`` if kept bytes of an earlier pull may be the cause, and deletes them; not with ``fresh``."""
        async with partial.claim(self._staging, descriptor.digest, 0 if fresh else descriptor.size) as kept:
            try:
                await self._download_and_unpack(descriptor, diff_id, folder, kept.ingest)
            except MobyError as error:
                if kept.resumed and partial.distrusts(error):
                    raise _Damaged(error.message) from error
                raise

    async def _download_and_unpack(self, descriptor: oci.Descriptor, diff_id: str, folder: Path, ingest: Ingest) -> None:
        """Unpacks while downloading. If one of the two fails, the other is ended."""
        layer = _short(descriptor)
        count = self._report.counter("Extracting", layer, descriptor.size)

        def used(done: int) -> None:
            # until the download is complete, its progress is shown and not that of the unpacking
            if ingest.size == descriptor.size:
                count(done)

        unpacking: asyncio.Task[None] | None = None
        try:
            async with self._slots:
                unpacking = asyncio.create_task(self._layers.unpack_following(ingest, descriptor.size, diff_id, folder, used))
                download = asyncio.create_task(
                    self._registry.blob(descriptor, ingest, self._report.counter("Downloading", layer, descriptor.size))
                )
                await _wait_for_both(download, unpacking)
                self._report.status("Download complete", layer)
            await asyncio.shield(unpacking)
            await in_thread(ingest.commit, self._content, descriptor.digest, descriptor.size)
        finally:
            if unpacking and not unpacking.done():
                ingest.fail(Unavailable("the transfer was interrupted"))
                await settled(unpacking)

    def _record(self, document: oci.Manifest, config: oci.ImageConfig, bodies: list[bytes], digest: str) -> Pulled:
        """Writes the configuration, the manifest and the indexes to the content store. The last of ``bodies`` is the manifest. Blocking."""
        blobs = [self._content.write(body, self._staging) for body in bodies]
        image = Image(document, blobs[-1], config)
        return Pulled(image.record(blobs, self._content, self._layers), digest)


class _Damaged(MobyError):
    """A layer that continued an earlier pull's download has the wrong digest, or cannot be unpacked."""


async def _wait_for_both(download: asyncio.Task[None], unpacking: asyncio.Task[None]) -> None:
    """Waits for both. A failure of the unpacking ends the download at once; the failure of either is raised."""
    try:
        await asyncio.wait([download, unpacking], return_when=asyncio.FIRST_COMPLETED)
        if not download.done():
            unpacking.result()
        await download
    finally:
        download.cancel()
        await settled(download)


def _check_platform(config: oci.ImageConfig, platform: str, reference: Reference) -> None:
    if not platform or not config.os or not config.architecture:
        return
    wanted = platforms.parse(platform)
    actual = oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    if not platforms.runs(wanted, actual):
        raise NotFound(
            f"image with reference {reference.familiar} was found but does not match the specified platform:"
            f" wanted {platforms.text(wanted)}, actual: {platforms.text(actual)}"
        )


def _remote_name(reference: Reference) -> str:
    return reference.path


def _hex(descriptor: oci.Descriptor) -> str:
    return descriptor.digest.removeprefix("sha256:")


def _short(descriptor: oci.Descriptor) -> str:
    return _hex(descriptor)[:_SHORT_ID]


def _verify(blob: Path, diff_id: str) -> None:
    """Verifies a blob against a diff id without unpacking it. Blocking."""
    digest = hashlib.sha256()
    with blob.open("rb") as file:
        for piece in decompress(iter(lambda: file.read(_PIECE), b"")):
            digest.update(piece)
    if (actual := f"sha256:{digest.hexdigest()}") != diff_id:
        raise MobyError(f"layer verification failed: expected diff id {diff_id}, the layer has {actual}; the image is damaged")
