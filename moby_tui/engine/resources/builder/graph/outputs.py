"""What a vertex of a graph of operations has made: the layers of a root file system, or the files of a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import copying, selection
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import BuiltImage, scratch
from moby_tui.engine.resources.builder.sources.context import Context
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.operations import NONE

_AS_THEY_ARE = copying.Placing(copying.Attributes(keeps_owner=True), contents=True)


@dataclass(frozen=True)
class Output:
    """One of both. The configuration of ``image`` has no more than a platform."""

    image: BuiltImage | None = None
    tree: Context | None = None


def layered(platform: oci.Platform, diff_ids: list[str], blobs: list[oci.Descriptor], chain: str) -> BuiltImage:
    """An image of these layers and of nothing else. ``chain`` is its cache key."""
    config = scratch(platform).config
    config.rootfs.diff_ids = diff_ids
    return BuiltImage(digest_of(encode(config)), config, blobs, chain)


def stripped(image: BuiltImage) -> Output:
    """The layers of an image: in a graph of operations its configuration is what the client makes of it."""
    config = image.config
    platform = oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    return Output(image=layered(platform, config.rootfs.diff_ids, image.blobs, f"layers {platforms.text(platform)} {image.key}"))


class Outputs:
    """The results that an operation takes. ``platform`` is that of the operation."""

    def __init__(self, shop: Workshop, inputs: list[Output], platform: str) -> None:
        self._shop = shop
        self.inputs = inputs
        self.platform = platforms.parse(platform) if platform else shop.platform

    def at(self, place: int) -> Output:
        return Output(image=scratch(self.platform)) if place == NONE else self.inputs[place]

    async def image(self, output: Output) -> BuiltImage:
        """Its layers; files of a folder become one."""
        if output.image is not None:
            return output.image
        assert output.tree is not None
        root, nothing = output.tree.root, scratch(self.platform)

        def copy(target: int) -> None:
            _AS_THEY_ARE.place(root, b"", target, b"/")

        content = await self.digest(output)
        return await self._shop.advance(
            nothing, "copy / /", produce=lambda: self._shop.layering.change(nothing, copy), content=content
        )

    @asynccontextmanager
    async def root(self, output: Output) -> AsyncIterator[int]:
        """A descriptor of its root."""
        if output.tree is not None:
            yield output.tree.root
        elif output.image is not None and output.image.config.rootfs.diff_ids:
            async with self._shop.layering.mounted(output.image) as root:
                yield root
        else:
            with trees.closing(os.open(self._empty(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
                yield root

    async def digest(self, output: Output, path: bytes = b"") -> str:
        """What it is known by in the cache: an image's key, the content of files."""
        if output.image is not None:
            return hashlib.sha256(b"%s\0%s" % (output.image.key.encode("utf-8", "surrogateescape"), path)).hexdigest()
        assert output.tree is not None
        compute = partial(selection.digest, output.tree.root, [path], owners=True)
        try:
            return await in_thread(compute)
        except OSError as error:
            raise InvalidArgument(f"failed to find {os.fsdecode(path)[:200]!r}: {(error.strerror or '').lower()}") from error

    def _empty(self) -> Path:
        folder = self._shop.scratch / "empty"
        folder.mkdir(mode=0o755, exist_ok=True)
        return folder
