"""The base images of a build, and images that it copies from: from the store, or pulled."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from typing import NamedTuple

from moby_tui.engine.resources.builder.execution.supplies import Supplies
from moby_tui.engine.resources.builder.image import BuiltImage, stored
from moby_tui.engine.resources.builder.narration import Tells
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci


class Material(NamedTuple):
    """A base image that a build has used: as it was named, and the digest of its index or manifest."""

    reference: Reference
    platform: oci.Platform
    digest: str


class Bases:
    """The images of one build. Each is looked up once, and pulled once if ``pull`` asks for it."""

    def __init__(self, images: ImageManager, content: ContentStore, supplies: Supplies, *, pull: bool) -> None:
        self._images = images
        self._content = content
        self._supplies = supplies
        self._pull = pull
        self._found: dict[tuple[str, str], BuiltImage] = {}
        #: by id, the digests of their manifests and indexes
        self._manifests: dict[str, list[str]] = {}
        self._looking: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str, platform: oci.Platform | None, report: Tells) -> BuiltImage:
        """An image for a platform; without ``platform`` the local one, else the one for this machine. Raises the errors of a pull."""
        key = name, platforms.text(platform) if platform else ""
        async with self._looking[key]:
            if key not in self._found:
                record = await self._record(name, platform, report)
                self._manifests[record.id] = self._images.manifests(record)
                self._found[key] = stored(record, self._content)
            return self._found[key]

    def materials(self) -> list[Material]:
        """The images that the build has used."""
        materials = []
        for (name, _), image in sorted(self._found.items()):
            config = image.config
            platform = oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)
            reference, digests = parse(name).tagged(), self._manifests[image.id]
            materials.append(Material(reference, platform, reference.digest or digests[0]))
        return materials

    def blobs(self) -> set[str]:
        """The digests of the layers of the images that the build has used."""
        return {blob.digest for image in self._found.values() for blob in image.blobs}

    def manifests(self, image: BuiltImage) -> list[str]:
        """The digests of the manifests and indexes of a base image; none of another image."""
        return self._manifests.get(image.id, [])

    def is_here(self, name: str) -> bool:
        try:
            self._images.record(name)
        except NotFound:
            return False
        return True

    async def _record(self, name: str, platform: oci.Platform | None, report: Tells) -> ImageRecord:
        try:
            record = None if self._pull else self._images.record(name)
        except NotFound:
            record = None
        if record is not None and (platform is None or _is_for(record, platform)):
            return record
        platform = platform or platforms.host()
        auth = await self._supplies.login(name)
        if record is not None or not platforms.runs(platforms.host(), platform):
            # the name keeps meaning the image that it means now
            try:
                return await self._images.fetch(name, platforms.text(platform), auth, report.say)
            except (NotFound, InvalidArgument) as error:
                if record is None:
                    raise
                here = platforms.text(_platform(record))
                error.message += f"; the image {name} that is here is for {here}"
                raise
        async with aclosing(self._images.pull(name, platform=platforms.text(platform), auth=auth)) as lines:  # type: ignore[type-var]
            async for line in lines:
                report.say(line)
        return self._images.record(name)


def _platform(record: ImageRecord) -> oci.Platform:
    return oci.Platform(os=record.config.os, architecture=record.config.architecture, variant=record.config.variant)


def _is_for(record: ImageRecord, platform: oci.Platform) -> bool:
    """True if the image is for the platform; one without a platform is for any."""
    return not record.config.architecture or platforms.runs(platform, _platform(record))
