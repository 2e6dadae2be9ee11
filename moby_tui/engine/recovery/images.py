"""Images: of their own records, else of rows, else of the manifests among the blobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from moby_tui.engine.recovery.found import Found, Sources, is_decodable
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.resources.images.transfer.pull import Image
from moby_tui.engine.store import losses
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.rebuilding import ImageRow
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.store.salvage import Salvage
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.base import decode

_decoder = msgspec.json.Decoder(ImageRecord)


def is_readable(old: Salvage) -> bool:
    return is_decodable(_decoder.decode, (row[0] for row in old.rows("images").values()))


async def find(sources: Sources, found: Found) -> None:
    """After the containers, whose images have at least the name that each was asked for by."""
    content, layers = ContentStore(sources.paths.blobs), LayerStore(sources.paths.layers, sources.paths.staging)
    try:
        for image in [*_recorded(sources), *_of_rows(sources, content, found)]:
            found.images.setdefault(image.record.id, image)
        if not sources.old.whole:
            for image in await in_thread(list, _of_blobs(content, layers, found)):
                found.images[image.record.id] = image
        for image in found.images.values():
            await _remake(image.record, content, layers, found)
    finally:
        await layers.close()


def keep(paths: Paths, found: Found) -> None:
    for ident in losses.recorded_images(paths) - found.images.keys():
        record_files.drop_image(paths.data_root, ident)
    for image in found.images.values():
        record_files.keep_image(paths.data_root, image.record.id, image.references, msgspec.json.encode(image.record))


def _recorded(sources: Sources) -> Iterator[ImageRow]:
    for ident in sorted(losses.recorded_images(sources.paths)):
        path = record_files.image_path(sources.paths.data_root, ident)
        kept = record_files.read(path)
        if kept is not None:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                record = _decoder.decode(bytes(kept.record))
                if record.id == ident:
                    yield ImageRow(record, kept.references, os.stat(path).st_mtime)


def _of_rows(sources: Sources, content: ContentStore, found: Found) -> Iterator[ImageRow]:
    """Those whose blobs are there: others were removed since the row was written."""
    for salvaged in (sources.old, sources.backup):
        references: dict[str, list[str]] = {}
        for reference, row in salvaged.rows("image_references").items():
            references.setdefault(str(row[0]), []).append(reference)
        for ident, row in salvaged.rows("images").items():
            with suppress(msgspec.DecodeError, UnicodeDecodeError, TypeError, MobyError):
                record = _decoder.decode(salvaged.record("images", ident) or b"")
                if content.has(record.id) and content.has(record.manifest):
                    yield ImageRow(record, sorted(references.get(ident, [])), float(str(row[1])))


def _of_blobs(content: ContentStore, layers: LayerStore, found: Found) -> Iterator[ImageRow]:
    """Every manifest whose configuration and layers are there. Blocking."""
    names = {record.image_id: record.image for record in found.containers.values()}
    for digest in content.digests():
        with suppress(MobyError, OSError, ValueError):
            path = content.path(digest)
            if path.stat().st_size > manifests.CONFIG_LIMIT or path.open("rb").read(1) != b"{":
                continue
            document = manifests.read(content.read(digest), "", digest)
            if not isinstance(document, oci.Manifest) or document.config.digest in found.images:
                continue
            config = manifests.read_config(content.read(document.config.digest), len(document.layers), digest)
            if all(map(layers.has, config.rootfs.diff_ids)):
                record = Image(document, digest, config).record([], content, layers)
                name = names.get(record.id, "")
                references = _references(name)
                if not references:
                    found.remarks.append(f"image {record.id[7:19]}: its names are lost; give it one with moby tag")
                yield ImageRow(record, references, path.stat().st_mtime)


def _references(name: str) -> list[str]:
    with suppress(MobyError):
        if name and not name.startswith("sha256:"):
            reference = parse(name).tagged()
            return [] if reference.digest else [reference.key]
    return []


async def _remake(record: ImageRecord, content: ContentStore, layers: LayerStore, found: Found) -> None:
    """Unpacks the missing layers of an image again from their blobs. An image that still lacks one is kept, with a remark in ``found``;
    whoever uses it gets an error."""
    missing = [diff_id for diff_id in record.config.rootfs.diff_ids if not layers.has(diff_id)]
    if not missing:
        return
    with suppress(MobyError, msgspec.DecodeError):
        manifest = decode(content.read(record.manifest), oci.Manifest)
        for diff_id, descriptor in zip(record.config.rootfs.diff_ids, manifest.layers, strict=True):
            if not layers.has(diff_id) and content.has(descriptor.digest):
                await layers.make_of(content.path(descriptor.digest), diff_id)
        layers.adopt_attributes(record.config.rootfs.diff_ids)
    missing = [diff_id for diff_id in missing if not layers.has(diff_id)]
    if missing:
        found.remarks.append(f"image {record.id[7:19]}: {len(missing)} of its layers are gone; pull or load it again")
