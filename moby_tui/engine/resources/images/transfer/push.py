"""One push: sends an image of the store to a repository. Blobs that the repository has are not sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.registry.registry import Registry
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import all_of
from moby_tui.errors import NotFound
from moby_tui.reference import Reference
from moby_tui.schema import oci
from moby_tui.schema.image import Progress

_SHORT_ID = 12
#: From how many repositories the registry is asked to mount a layer, before it is uploaded.
_MOST_SOURCES = 3


class Push:
    """One push of one image. ``sources``: for each digest the repositories of the same registry that have, or had, it; the target too."""

    def __init__(
        self,
        record: ImageRecord,
        registry: Registry,
        content: ContentStore,
        sources: Mapping[str, list[str]],
        report: Report,
        slots: asyncio.Semaphore,
    ) -> None:
        """``slots`` is held while a blob is sent."""
        self._record = record
        self._registry = registry
        self._content = content
        self._sources = sources
        self._report = report
        self._path = ""
        self._slots = slots

    async def run(self, reference: Reference) -> str:
        """Sends the missing blobs, then the manifest, so that nobody sees half an image; returns its digest. Raises ``MobyError``."""
        self._path = reference.path
        body = self._content.read(self._record.manifest)
        document = manifests.read(body, "", reference.familiar)
        assert isinstance(document, oci.Manifest)
        for digest in (document.config.digest, *(layer.digest for layer in document.layers if not manifests.is_foreign(layer))):
            if not self._content.has(digest):
                raise NotFound(f"content {digest} of {reference.familiar} is not in the store; pull or load the image again")
        named = zip(document.layers, self._record.config.rootfs.diff_ids, strict=True)
        layers = {layer.digest: (layer, diff_id) for layer, diff_id in named}
        async with all_of() as group:
            for layer, diff_id in layers.values():
                group.create_task(self._send(layer, diff_id.removeprefix("sha256:")[:_SHORT_ID]))
            group.create_task(self._send(document.config, None))
        await self._registry.put_manifest(reference.tag, document.media_type or oci.MEDIA_MANIFEST, body)
        self._report.status(f"{reference.tag}: digest: {self._record.manifest} size: {len(body)}")
        aux: dict[str, str | int] = {"Tag": reference.tag, "Digest": self._record.manifest, "Size": len(body)}
        self._report.say(Progress(aux=aux))
        return self._record.manifest

    async def _send(self, descriptor: oci.Descriptor, name: str | None) -> None:
        """Sends one blob. ``name`` is shown with the progress; a configuration has none."""
        self._say("Preparing", name)
        if manifests.is_foreign(descriptor):
            self._say("Skipped foreign layer", name)
            return
        known = self._sources.get(descriptor.digest, [])
        lenders = [source for source in known if source != self._path][:_MOST_SOURCES]
        # the repository cannot have it if it was never pushed there: this saves a request
        if lenders and self._path not in known and await self._mount(descriptor, lenders, name):
            return
        if await self._registry.has_blob(descriptor.digest):
            self._say("Layer already exists", name)
            return
        if self._path in known and await self._mount(descriptor, lenders, name):
            return
        if self._slots.locked():
            self._say("Waiting", name)
        async with self._slots:
            count = self._report.counter("Pushing", name, descriptor.size) if name else lambda _: None
            await self._registry.upload(descriptor, self._content.path(descriptor.digest), count)
            self._say("Pushed", name)

    async def _mount(self, descriptor: oci.Descriptor, lenders: list[str], name: str | None) -> bool:
        for source in lenders:
            if await self._registry.mount_blob(descriptor.digest, source):
                self._say(f"Mounted from {source}", name)
                return True
        return False

    def _say(self, status: str, name: str | None) -> None:
        if name is not None:
            self._report.status(status, name)
