"""``save``: images as one tar that is an OCI image layout and a ``docker save`` archive at once, as Docker 25 and later write it.

OCI image layout specification, image-layout.md; the other form is ``manifest.json`` (docs.docker.com, image specification v1.2).
The blobs go in as they are stored, so every digest is kept. Equal images make equal archives: a member has the time at which its
image was created, or none.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images.describe import created
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import NotFound
from moby_tui.reference import Reference
from moby_tui.schema import oci
from moby_tui.schema.base import encode

_CHUNK = 1 << 20
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
#: The annotations from which containerd and Docker read an image's name.
_NAME = "io.containerd.image.name"
_TAG = "org.opencontainers.image.ref.name"


@dataclass
class Saved:
    """An image, and the names under which it is saved."""

    record: ImageRecord
    references: list[Reference] = field(default_factory=list)


def archive(images: Iterable[Saved], content: ContentStore, index: oci.Index | None = None) -> Iterator[bytes]:
    """The tar, in pieces, with an index of its own unless there is one. Blocking.

    Raises ``NotFound`` for a blob that the store does not have, before the first piece.
    """
    wanted = list(images)
    documents = [_manifest(image.record, content) for image in wanted]
    yield from _stored(_blobs(wanted, documents, content), content)
    yield from _file("index.json", encode(index or _index(wanted, documents, content)))
    yield from _file("manifest.json", encode(_docker_manifest(wanted, documents)))
    yield from _file("oci-layout", _LAYOUT)
    yield bytes(2 * tarfile.BLOCKSIZE)


def layout(index: oci.Index, documents: Iterable[bytes], blobs: Iterable[str], content: ContentStore) -> Iterator[bytes]:
    """The tar of an OCI layout only: the content that an index names; ``documents`` are those that are not in the store. Blocking."""
    yield from _stored(dict.fromkeys(sorted(set(blobs)), 0), content)
    for document in documents:
        yield from _file(manifests.blob_name(digest_of(document)), document)
    yield from _file("index.json", encode(index))
    yield from _file("oci-layout", _LAYOUT)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _stored(blobs: dict[str, int], content: ContentStore) -> Iterator[bytes]:
    """``blobs``: the Unix seconds that each has as its time."""
    newest = max(blobs.values(), default=0)
    yield _directory("blobs/", newest)
    yield _directory("blobs/sha256/", newest)
    for digest, time in blobs.items():
        yield from _blob(digest, time, content)


def _manifest(record: ImageRecord, content: ContentStore) -> oci.Manifest:
    document = manifests.read(content.read(record.manifest), "", record.id)
    assert isinstance(document, oci.Manifest)
    return document


def _blobs(images: list[Saved], documents: list[oci.Manifest], content: ContentStore) -> dict[str, int]:
    """The digests in order, each with the time of the first image that has it."""
    times: dict[str, int] = {}
    for image, document in zip(images, documents, strict=True):
        time = max(created(image.record.config.created), 0)
        for digest in (image.record.manifest, document.config.digest, *(layer.digest for layer in document.layers)):
            times.setdefault(digest, time)
    for digest in times:
        if not content.has(digest):
            raise NotFound(f"content {digest} is not in the store; pull or load the image again")
    return dict(sorted(times.items()))


def _index(images: list[Saved], documents: list[oci.Manifest], content: ContentStore) -> oci.Index:
    """The index: one entry for each name, and one for an image without a name."""
    entries = []
    for image, document in zip(images, documents, strict=True):
        digest, kind = image.record.manifest, document.media_type or oci.MEDIA_MANIFEST
        size = content.path(digest).stat().st_size
        names = [names_of(reference) for reference in image.references]
        config = image.record.config
        platform = oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)
        entries += [
            oci.Descriptor(media_type=kind, digest=digest, size=size, annotations=name, platform=platform)
            for name in names or [{}]
        ]
    return oci.Index(schema_version=2, media_type=oci.MEDIA_INDEX, manifests=entries)


def names_of(reference: Reference) -> dict[str, str]:
    """The annotations that give an entry of a layout its name."""
    return {_NAME: reference.canonical, _TAG: reference.tag}


def _docker_manifest(images: list[Saved], documents: list[oci.Manifest]) -> list[dict[str, object]]:
    """``manifest.json``. Each name occurs once: for several platforms, with the first."""
    written: set[str] = set()
    items: list[dict[str, object]] = []
    for image, document in zip(images, documents, strict=True):
        names = [name for reference in image.references if (name := reference.familiar) not in written]
        written.update(names)
        layers = [manifests.blob_name(layer.digest) for layer in document.layers]
        items.append({"Config": manifests.blob_name(document.config.digest), "RepoTags": names or None, "Layers": layers})
    return items


def _blob(digest: str, time: int, content: ContentStore) -> Iterator[bytes]:
    with content.path(digest).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        yield _header(manifests.blob_name(digest), size, time)
        while piece := file.read(_CHUNK):
            yield piece
    yield _padding(size)


def _file(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data)) + data + _padding(len(data))


def _directory(name: str, time: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.mtime = tarfile.DIRTYPE, 0o755, time
    return header.tobuf(tarfile.GNU_FORMAT)


def _header(name: str, size: int, time: int = 0) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mtime = size, time
    return header.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
