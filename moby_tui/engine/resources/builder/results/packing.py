"""Images as an output wants them packed: compression of the layers, media types, annotations of the manifest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Protocol

import msgspec

from moby_tui.engine.archive.compression import decompress, pieces_of
from moby_tui.engine.resources.builder.stores import Stores
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images.store.content import Ingest
from moby_tui.engine.resources.images.store.staging import scratch
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import Packing

_GZIP, _ZSTD, _PLAIN = "gzip", "zstd", "uncompressed"
_LAYERS = {_PLAIN: oci.MEDIA_LAYER, _GZIP: oci.MEDIA_LAYER_GZIP, _ZSTD: oci.MEDIA_LAYER_ZSTD}
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_DOCKER_TYPES = {
    oci.MEDIA_MANIFEST: "application/vnd.docker.distribution.manifest.v2+json",
    oci.MEDIA_INDEX: "application/vnd.docker.distribution.manifest.list.v2+json",
    oci.MEDIA_CONFIG: "application/vnd.docker.container.image.v1+json",
    oci.MEDIA_LAYER: _DOCKER_LAYER,
    oci.MEDIA_LAYER_GZIP: f"{_DOCKER_LAYER}.gzip",
    oci.MEDIA_LAYER_ZSTD: f"{_DOCKER_LAYER}.zstd",
}
_LEVELS = {_GZIP: (0, 9, 6), _ZSTD: (0, 22, 3)}
_PIECE = 1 << 18


class _Compressor(Protocol):
    def compress(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


def media_type(name: str, packing: Packing) -> str:
    """The media type for an OCI one."""
    return _DOCKER_TYPES.get(name, name) if packing.docker_types else name


def packed(record: ImageRecord, packing: Packing, annotations: Mapping[str, str], kept: Set[str], stores: Stores) -> ImageRecord:
    """The same image with other layers' blobs, media types and annotations of its manifest, all of which the store has after. Blocking.

    ``kept`` are the layers of base images: they stay as they are unless ``packing`` forces all.
    """
    document = manifests.read(stores.content.read(record.manifest), "", record.id)
    assert isinstance(document, oci.Manifest)
    layers = [
        _typed(layer if layer.digest in kept and not packing.force else _layer(layer, packing, stores), packing)
        for layer in document.layers
    ]
    manifest = oci.Manifest(
        schema_version=2,
        media_type=media_type(oci.MEDIA_MANIFEST, packing),
        config=_typed(document.config, packing),
        layers=layers,
        annotations={**document.annotations, **annotations},
    )
    digest = stores.content.write(encode(manifest), stores.paths.staging)
    blobs = sorted({digest, document.config.digest, *(layer.digest for layer in layers)})
    return msgspec.structs.replace(record, manifest=digest, blobs=blobs)


def _typed(blob: oci.Descriptor, packing: Packing) -> oci.Descriptor:
    return msgspec.structs.replace(blob, media_type=media_type(blob.media_type, packing))


def _layer(layer: oci.Descriptor, packing: Packing, stores: Stores) -> oci.Descriptor:
    kind = packing.compression or _GZIP
    if layer.media_type == _LAYERS[kind] and packing.level is None:
        return layer
    plain = decompress(pieces_of(stores.content.path(layer.digest)))
    return msgspec.structs.replace(_stored(_compressed(plain, kind, packing.level), stores), media_type=_LAYERS[kind])


def _stored(pieces: Iterator[bytes], stores: Stores) -> oci.Descriptor:
    """Writes a blob; its media type is left open."""
    with scratch(stores.paths.staging) as folder, Ingest(folder / "layer") as ingest:
        for piece in pieces:
            ingest.write(piece)
        digest = ingest.digest()
        ingest.commit(stores.content, digest, ingest.size)
        return oci.Descriptor(media_type="", digest=digest, size=ingest.size)


def _compressed(pieces: Iterator[bytes], kind: str, level: int | None) -> Iterator[bytes]:
    if kind == _PLAIN:
        yield from pieces
        return
    least, most, usual = _LEVELS[kind]
    compressor = _COMPRESSORS[kind](usual if level is None or level < 0 else min(max(level, least), most))
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


def _gzip(level: int) -> _Compressor:
    # without a time or name, so that equal layers are equal blobs; imported here: few builds pack a layer again
    import zlib

    return zlib.compressobj(level, wbits=31)


def _zstd(level: int) -> _Compressor:
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdCompressor
    else:
        from backports.zstd import ZstdCompressor

    return ZstdCompressor(level)


_COMPRESSORS: dict[str, Callable[[int], _Compressor]] = {_GZIP: _gzip, _ZSTD: _zstd}
