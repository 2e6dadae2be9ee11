"""After a power cut: verifies or makes anew the blobs and layers that carry the mark of an earlier boot (see ``written``)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError
from moby_tui.schema import oci


async def remake_lost(records: Iterable[ImageRecord], content: ContentStore, layers: LayerStore) -> None:
    """Verifies the blobs and unpacks again the layers that may be damaged; called once per boot, by the first engine.

    A layer whose blob is damaged or gone stays lost: using its images fails with a message, and a pull or load repairs them.
    """
    for digest in content.digests():
        await in_thread(content.recheck, digest)
    if any(layers.lost(diff_id) for diff_id in layers.diff_ids()):
        for record in records:
            with suppress(MobyError, msgspec.DecodeError):
                await _remake(record, content, layers)


async def _remake(record: ImageRecord, content: ContentStore, layers: LayerStore) -> None:
    diff_ids = record.config.rootfs.diff_ids
    lost = [layers.lost(diff_id) for diff_id in diff_ids]
    if any(lost):
        manifest = msgspec.json.decode(content.read(record.manifest), type=oci.Manifest)
        for diff_id, descriptor, is_lost in zip(diff_ids, manifest.layers, lost, strict=True):
            if is_lost and content.has(descriptor.digest):
                await layers.make_of(content.path(descriptor.digest), diff_id)
        layers.adopt_attributes(diff_ids)
