"""Makes a layer of a changed root file system, and stores it: unpacked in the layer store, packed as a blob."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from moby_tui.engine.archive.compression import decompress, pieces_of
from moby_tui.engine.resources.builder.execution import difference
from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.resources.images.transfer.pull import Image
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.schema import oci
from moby_tui.schema.base import encode

_FASTEST = 1
#: Bytes that are hashed and compressed at once.
_JOINED = 1 << 16


class Layering:
    """Makes layers in staging, so that a failed call leaves nothing."""

    def __init__(self, layers: LayerStore, content: ContentStore, staging_folder: Path, *, latest: int | None = None) -> None:
        """``latest``: the latest modification time in a new layer (Unix seconds), or None."""
        self._layers = layers
        self._content = content
        self._staging = staging_folder
        self._latest = latest

    def stack(self, image: BuiltImage) -> list[Path]:
        return self._layers.stack(image.config.rootfs.diff_ids)

    @asynccontextmanager
    async def mounted(self, image: BuiltImage) -> AsyncIterator[int]:
        """A descriptor of the image's root file system, read-only. Raises ``MobyError`` if it has no layer."""
        with self.opened(image) as root:
            yield root

    @contextmanager
    def opened(self, image: BuiltImage) -> Iterator[int]:
        """As ``mounted``, blocking."""
        root = snapshot.mount(self.stack(image), None, None)
        try:
            yield root
        finally:
            os.close(root)

    async def change(self, image: BuiltImage, work: Callable[[int], None], *, unpacks: bool = False) -> Layer | None:
        """Makes a layer of the changes that ``work`` makes to the image's root file system, in a thread.

        The folder that takes the changes becomes the layer: none of its files is written a second time. Not where ``work`` unpacks
        archives: those may bring attributes that no layer holds, such as ``trusted.*``.
        """
        async with staging.claim(self._staging, f"build-{os.urandom(16).hex()}") as folder:
            upper, overlay_work = folder / "upper", folder / "work"
            lowers = self.stack(image)
            upper.mkdir(mode=0o755)
            overlay_work.mkdir()
            if lowers:
                _copy_owner(lowers[0], upper)
            root = snapshot.mount(lowers, upper, overlay_work)
            try:
                await in_thread(work, root)
            finally:
                os.close(root)
            if self._latest is not None or unpacks:
                # the folder's times may be later than those of the layer
                return await self.layer(difference.layer(upper, lowers, latest=self._latest))
            changes = difference.Difference(upper, lowers)
            async with self._packed(changes.pieces()) as (_, layer):
                if layer is not None:
                    await self._layers.take(upper, layer.diff_id, changes.size)
            return layer

    async def layer(self, pieces: Iterator[bytes]) -> Layer | None:
        """Packs a plain tar and unpacks it into the layer store; None if there are no pieces."""
        async with self._packed(pieces) as (packed, layer):
            if layer is not None:
                await self._layers.make(decompress(pieces_of(packed)), layer.diff_id)
        return layer

    @asynccontextmanager
    async def _packed(self, pieces: Iterator[bytes]) -> AsyncIterator[tuple[Path, Layer | None]]:
        """The blob of a plain tar, which the content store has after the block; None if there are no pieces."""
        async with staging.claim(self._staging, f"build-{os.urandom(16).hex()}") as folder:
            packed = folder / "layer"
            layer = await in_thread(_pack, pieces, packed)
            yield packed, layer
            if layer is not None:
                with refusals_told():
                    self._content.adopt(packed, layer.blob.digest)

    def record(self, image: BuiltImage, annotations: dict[str, str] | None = None) -> ImageRecord:
        """Writes the configuration and the manifest of an image whose layers are stored, and returns its row. Blocking."""
        body = encode(image.config)
        document = oci.Manifest(
            schema_version=2,
            media_type=oci.MEDIA_MANIFEST,
            config=oci.Descriptor(media_type=oci.MEDIA_CONFIG, digest=digest_of(body), size=len(body)),
            layers=image.blobs,
            annotations=annotations or {},
        )
        for data in (body, encode(document)):
            self._content.write(data, self._staging)
        return Image(document, digest_of(encode(document)), image.config).record([], self._content, self._layers)


def _pack(pieces: Iterator[bytes], file: Path) -> Layer | None:
    """gzip without a time or name, so that equal layers are equal blobs."""
    from isal import isal_zlib

    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    compressor = isal_zlib.compressobj(_FASTEST, wbits=31)
    empty = True
    with refusals_told(), file.open("xb") as output:
        for data in _compressed(pieces, compressor, plain.update):
            output.write(data)
            packed.update(data)
            size += len(data)
        empty = plain.digest() == hashlib.sha256().digest()
    if empty:
        return None
    blob = oci.Descriptor(media_type=oci.MEDIA_LAYER_GZIP, digest="sha256:" + packed.hexdigest(), size=size)
    return Layer("sha256:" + plain.hexdigest(), blob)


def _compressed(pieces: Iterator[bytes], compressor: object, update: Callable[[bytes], None]) -> Iterator[bytes]:
    for piece in _joined(pieces):
        update(piece)
        yield compressor.compress(piece)  # type: ignore[attr-defined]
    yield compressor.flush()  # type: ignore[attr-defined]


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces as larger ones: a small file has three, and each costs two calls."""
    waiting, size = list[bytes](), 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _JOINED:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _copy_owner(layer: Path, upper: Path) -> None:
    """Gives the upper folder the mode and owner of the root below: overlayfs shows those of the uppermost one."""
    status = layer.stat()
    os.chown(upper, status.st_uid, status.st_gid)
    upper.chmod(stat.S_IMODE(status.st_mode))
