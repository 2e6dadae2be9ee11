"""``--cache-from``: opens the caches of other engines: in registries, in images, in archives."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

from moby_tui.engine.resources.builder.graph import travelling
from moby_tui.engine.resources.builder.graph.travelling import Opened
from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.sources.stores import Layout
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import ContentStore, Ingest
from moby_tui.engine.resources.images.transfer.load import Archive
from moby_tui.errors import MobyError, NotFound
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.build import StoredCache
from moby_tui.schema.image import Progress, RegistryAuth

#: The stores that an import works with: images, blobs, layers, and the folder of half-made things.
Stores = tuple[ImageManager, ContentStore, LayerStore, Path]


async def import_caches(
    names: list[str],
    archives: list[Archive],
    stored: list[tuple[Layout, StoredCache]],
    is_whole: Callable[[BuiltImage], bool],
    stores: Stores,
    auth: Callable[[str], Awaitable[RegistryAuth | None]],
    narration: Narration,
) -> list[Opened]:
    """Opens the caches. An unavailable one is reported and left out; the build continues without it."""
    caches: list[Opened] = []
    for archive in archives:
        with _left_out("the archive", narration):
            store = travelling.InArchive(archive)
            fetch = partial(travelling.from_members, archive, layers=stores[2], content=stores[1])
            for digest in store.manifests():
                caches.append((await travelling.exported(store, digest)).opened(fetch, is_whole, stores[2]))
    for layout, cache in stored:
        name = f"{cache.store}@{cache.digest}"
        with _left_out(name, narration), narration.step(f"importing cache manifest from {name}"):
            caches.append(await _stored(layout, cache, is_whole, stores))
    for name in names:
        with _left_out(name, narration), narration.step(f"importing cache manifest from {name}"):
            caches.append(await _named(parse(name).tagged(), is_whole, stores, await auth(name)))
    return caches


@contextmanager
def _left_out(name: str, narration: Narration) -> Iterator[None]:
    try:
        yield
    except MobyError as error:
        narration.say(Progress(stream=f"[Warning] no cache from {name}: {error.message}\n"))


async def _stored(layout: Layout, cache: StoredCache, is_whole: Callable[[BuiltImage], bool], stores: Stores) -> Opened:
    """The cache in a store of the caller's, from which only the layers travel that a step needs."""

    async def fetch(image: BuiltImage) -> None:
        for blob in image.blobs:
            await layout.fetch(blob)
        await travelling.from_members(layout, image, stores[2], stores[1])

    return (await travelling.exported(_Fetched(layout), cache.digest)).opened(fetch, is_whole, stores[2])


class _Fetched(travelling.InArchive):
    """A layout whose blobs are fetched when they are asked for."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._layout = layout

    async def manifest(self, digest: str) -> bytes:
        await self._layout.document(digest)
        return await super().manifest(digest)

    async def blob(self, blob: oci.Descriptor) -> bytes:
        await self._layout.fetch(blob)
        return await super().blob(blob)


async def _named(
    reference: Reference, is_whole: Callable[[BuiltImage], bool], stores: Stores, auth: RegistryAuth | None
) -> Opened:
    """The cache of a local image, if it lists its steps; else of a registry."""
    images, content, layers, folder = stores

    async def admit(digests: list[str]) -> None:
        """Does nothing: the signature policy was asked for the cache as a whole."""

    async def fetch(image: BuiltImage) -> None:
        from moby_tui.engine.resources.images.transfer.pull import Pull

        async with Mirrors(reference, auth, images.options()) as registry:
            pull = Pull(reference, registry, content, layers, folder, Report(), admit, images.slots.downloads)
            await pull.fetch_layers(image.blobs, image.config.rootfs.diff_ids)

    from moby_tui.engine.resources.images.registry.registry import Mirrors

    try:
        local = images.record(reference.familiar).manifest
        opened = await travelling.exported(travelling.InContent(content), local)
        if opened.steps or opened.lists:
            return opened.opened(fetch, is_whole, layers)
    except NotFound:
        pass
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(Mirrors(reference, auth, images.options()))
        place = await stack.enter_async_context(staging.claim(folder, f"cache-{os.urandom(8).hex()}"))
        store = travelling.InRegistry(registry, lambda: Ingest(place / "steps"))
        opened = await travelling.exported(store, reference.digest or reference.tag)
    return opened.opened(fetch, is_whole, layers)
