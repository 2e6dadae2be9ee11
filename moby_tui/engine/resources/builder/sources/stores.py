"""What a build's caller has in stores of blobs: images and build caches, as OCI layouts.

A store is hostile: each blob is verified by its digest and its size before it is used.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.transfer.load import Archive, Member
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

#: The second may be the list of a cache's steps.
_MOST_OF_A_MANIFEST, _MOST_OF_A_CONFIGURATION = 4 << 20, 64 << 20


class Layout(Archive):
    """An OCI layout in a caller's store, of which ``fetch`` has fetched some blobs into ``folder``."""

    def __init__(self, caller: Caller, store: str, folder: Path) -> None:
        folder.mkdir()
        self._caller = caller
        self._store = store
        self._folder = folder
        self._members = {}
        self._links = {}

    async def open(self, digest: str, platform: oci.Platform | None = None) -> oci.Manifest:
        """Fetches the manifest with this digest and its configuration, and makes an index that names it alone.

        Of an index it is the manifest for ``platform``, or for this machine. Raises ``NotFound``, ``InvalidArgument``.
        """
        document = await self.document(digest)
        if isinstance(document, oci.Index):
            chosen = platforms.choose(platform or platforms.host(), document.manifests)
            if chosen is None:
                raise InvalidArgument(f"{digest} has no image for {platforms.text(platform or platforms.host())}")
            digest = chosen.digest
            document = await self.document(digest)
        if isinstance(document, oci.Index):
            raise InvalidArgument(f"{digest} is an index in an index, not an image")
        if document.config.size > _MOST_OF_A_CONFIGURATION:
            raise InvalidArgument(f"the configuration of {digest} has more than {_MOST_OF_A_CONFIGURATION} bytes")
        await self.fetch(document.config)
        described = oci.Descriptor(
            media_type=oci.MEDIA_MANIFEST, digest=digest, size=self.member(manifests.blob_name(digest)).size
        )
        self._keep("index.json", encode(oci.Index(schema_version=2, media_type=oci.MEDIA_INDEX, manifests=[described])))
        self._keep("oci-layout", b"{}")
        return document

    async def fetch(self, blob: oci.Descriptor) -> None:
        """Fetches a blob, unless it was. Raises ``NotFound``, ``InvalidArgument`` for another content or size."""
        if self.find(manifests.blob_name(blob.digest)) is None:
            await self._fetch(blob.digest, blob.size)
        self.blob(blob)

    async def document(self, digest: str) -> oci.Manifest | oci.Index:
        """Fetches a manifest or an index. Raises ``NotFound``, ``InvalidArgument``."""
        await self._fetch(digest, _MOST_OF_A_MANIFEST)
        return manifests.read_any(self.member(manifests.blob_name(digest)).read("manifest"), "", digest)

    async def _fetch(self, digest: str, most: int) -> None:
        name = manifests.blob_name(digest)
        file = self._folder / os.urandom(8).hex()
        total, size = hashlib.sha256(), 0
        with refusals_told(), file.open("xb") as output:
            pieces = cast("AsyncGenerator[bytes]", self._caller.blob(self._store, digest))
            async with aclosing(pieces):
                async for piece in pieces:
                    size += len(piece)
                    if size > most:
                        raise InvalidArgument(f"{digest} of the client has more than {most} bytes")
                    total.update(piece)
                    await in_thread(output.write, piece)
        if f"sha256:{total.hexdigest()}" != digest:
            raise InvalidArgument(f"{digest} of the client is damaged: it has another digest")
        self._members[name] = Member(file, size, digest)

    def _keep(self, name: str, data: bytes) -> None:
        file = self._folder / os.urandom(8).hex()
        with refusals_told():
            file.write_bytes(data)
        self._members[name] = Member(file, len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
