"""The outputs of a build: images in the store, pushes, archives, files, caches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.archive.compression import pieces_of
from moby_tui.engine.resources.builder import requests
from moby_tui.engine.resources.builder.execution import difference
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.graph import travelling
from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.builder.llb.vertices import Names
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.results import attestations
from moby_tui.engine.resources.builder.results.attestations import Attestation, Statement
from moby_tui.engine.resources.builder.results.provenance import Story, state
from moby_tui.engine.resources.builder.stores import Stores
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.resources.images.transfer import save
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import BuildOptions, CacheTarget, Caller, Made, Output
from moby_tui.schema.image import Progress, RegistryAuth

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.registry.registry import Registry

_PIECE = 1 << 20
#: The kinds of outputs that go to the caller, in BuildKit's words.
_NAMES = {
    "local": "client directory",
    "tar": "client tarball",
    "oci": "oci image format",
    "docker": "docker image format",
}
#: What stands after the last member of a tar.
_END = bytes(1024)


@dataclass(frozen=True)
class Result:
    """An image of one platform, stored but not registered yet."""

    image: BuiltImage
    record: ImageRecord


class Results:
    """The results of one build. ``auth`` finds the caller's login for a reference."""

    def __init__(
        self,
        stores: Stores,
        layering: Layering,
        options: BuildOptions,
        auth: Callable[[str], Awaitable[RegistryAuth | None]],
        narration: Narration,
    ) -> None:
        self._stores = stores
        self._layering = layering
        self._options = options
        self._auth = auth
        self._narration = narration
        self._results: list[Result] = []
        #: by the digests of the images' manifests
        self._statements: defaultdict[str, list[Statement]] = defaultdict(list)
        self._trail: Mapping[str, BuiltImage] = {}
        self._names: Mapping[str, Names] = {}

    def add(self, result: Result) -> None:
        self._results.append(result)

    def replace(self, result: Result) -> None:
        """In place of the one result so far."""
        self._results = [result]

    def attest(self, story: Story) -> None:
        """Makes the provenance of each image, if it is asked for and goes somewhere."""
        provenance = self._options.provenance
        if provenance is None or not self._takes_statements():
            return
        tags = requests.references(self._options.tags)
        for result in self._results:
            image = self._descriptor(result)
            self._statements[image.digest].append(state(image, tags, self._options, provenance, story))

    async def scan(self, scanner: Callable[[BuiltImage], Awaitable[list[bytes]]]) -> None:
        """Has a scanner make the bill of materials of each image, if it goes somewhere. Raises ``InvalidArgument``, and its errors."""
        if not self._takes_statements():
            return
        tags = requests.references(self._options.tags)
        for result in self._results:
            image = self._descriptor(result)
            written = [attestations.of_scanner(data, image, tags) for data in await scanner(result.image)]
            # as with BuildKit, before the provenance
            self._statements[image.digest][:0] = written

    def _takes_statements(self) -> bool:
        return any(map(requests.takes_provenance, requests.outputs(self._options)))

    @property
    def _attestations(self) -> list[Attestation]:
        images = map(self._descriptor, self._results)
        return [attestations.attest(image, stated) for image in images if (stated := self._statements.get(image.digest))]

    def made(self) -> list[Made]:
        return [
            Made(result.record.id, result.image.config, self._descriptor(result), partial(self._layering.opened, result.image))
            for result in self._results
        ]

    async def keep(self, trail: Mapping[str, BuiltImage], names: Mapping[str, Names]) -> None:
        """Registers and pushes images as the caller asked; reports ids and names. Raises the errors of a push.

        ``trail`` has the steps of the build and ``names`` BuildKit's names of them, both by their keys: for caches.
        """
        self._trail, self._names = trail, names
        tags = requests.references(self._options.tags)
        outputs = requests.outputs(self._options)
        first = self._first()
        if any(map(requests.is_stored, outputs)):
            with self._narration.step("exporting to image"):
                await in_thread(self._store, tags)
                self._narration.tell_status("exporting layers")
                self._tell_result(first)
                self._narration.tell_status(f"writing image {first.image.id}")
                for tag in tags:
                    await self._stores.images.tag(first.record.id, tag.familiar)
                    self._narration.note(f"Successfully tagged {tag.familiar}\n")
                    self._narration.tell_status(f"naming to {tag.canonical}")
        else:
            self._tell_result(first)
        if any(map(requests.is_pushed, outputs)):
            for tag in tags:
                with self._narration.step(f"pushing {tag.familiar}"):
                    await self._push(tag)
        for cache in self._options.cache_to:
            if cache.kind == "registry":
                with self._narration.step(f"exporting cache to registry {cache.reference}"):
                    await self._push_cache(parse(cache.reference).tagged(), self._listed(everything=cache.everything))

    def _first(self) -> Result:
        """The image that a tag means here: the one for this machine if there is one, else the first."""
        host = platforms.host()
        fitting = (result for result in self._results if platforms.runs(host, _platform(result)))
        return next(fitting, self._results[0])

    def _store(self, tags: list[Reference]) -> None:
        """Registers the image of each platform. Those that no tag means are found through the index, or by digest. Blocking."""
        index = [self._stores.content.write(encode(self._index()), self._stores.paths.staging)] if len(self._results) > 1 else []
        for result in self._results:
            record, names = result.record, [] if result is self._first() else [tag.at(result.record.manifest).key for tag in tags]
            blobs = sorted({*record.blobs, *index})
            if self._stores.rows.get(record.id) != record or index:
                self._stores.rows.put(msgspec.structs.replace(record, blobs=blobs), names)

    def _tell_result(self, last: Result) -> None:
        described = self._index() if self._has_index() else None
        digest = digest_of(encode(described)) if described else last.record.manifest
        self._narration.say(Progress(aux={"ID": last.image.id, "Digest": digest}))
        self._narration.note(f"Successfully built {last.image.short}\n")

    async def _push(self, tag: Reference) -> None:
        if not self._has_index():
            async with aclosing(self._stores.images.push(tag.familiar, auth=await self._auth(tag.familiar))) as lines:  # type: ignore[type-var]
                async for line in lines:
                    if line.aux is None:
                        self._narration.say(line)
            return
        from moby_tui.engine.resources.images.registry.hosts import PUSH
        from moby_tui.engine.resources.images.registry.registry import Registry
        from moby_tui.engine.resources.images.transfer.push import Push

        index = encode(self._index())
        async with Registry(tag, await self._auth(tag.familiar), self._stores.images.options(), purpose=PUSH) as registry:
            for result in self._results:
                # each image by its digest; the tag is that of the index
                by_digest = msgspec.structs.replace(tag, tag=result.record.manifest)
                await Push(result.record, registry, self._stores.content, {}, Report(), self._stores.images.slots.uploads).run(
                    by_digest
                )
            for attestation in self._attestations:
                await self._push_attestation(registry, attestation)
            await registry.put_manifest(tag.tag, oci.MEDIA_INDEX, index)
        self._narration.say(Progress(status=f"{tag.tag}: digest: {digest_of(index)} size: {len(index)}"))

    async def _push_attestation(self, registry: Registry, attestation: Attestation) -> None:
        *blobs, (described, manifest) = attestation.bodies
        for blob, body in blobs:
            digest = await in_thread(self._stores.content.write, body, self._stores.paths.staging)
            if not await registry.has_blob(digest):
                await registry.upload(blob, self._stores.content.path(digest), lambda _: None)
        await registry.put_manifest(described.digest, oci.MEDIA_MANIFEST, manifest)

    async def _push_cache(self, reference: Reference, cache: travelling.Document) -> None:
        from moby_tui.engine.resources.images.registry.hosts import PUSH
        from moby_tui.engine.resources.images.registry.registry import Registry

        def write(body: bytes) -> str:
            return self._stores.content.write(body, self._stores.paths.staging)

        async with Registry(
            reference, await self._auth(reference.familiar), self._stores.images.options(), purpose=PUSH
        ) as registry:
            await travelling.publish(registry, reference.tag, cache, self._stores.content, write)

    def _listed(self, *, everything: bool) -> travelling.Document:
        """The cache of the steps whose layers are here; those of imported caches need not be."""
        if everything:
            steps = dict(self._trail)
        else:
            steps = {
                key: step for result in self._results for key, step in travelling.of_image(self._trail, result.image).items()
            }
        here = {key: step for key, step in steps.items() if all(self._stores.content.has(blob.digest) for blob in step.blobs)}
        return travelling.document(here, self._names)

    def _has_index(self) -> bool:
        """True if the images go in an index: those of several platforms, and one with provenance."""
        return len(self._results) > 1 or bool(self._attestations)

    def _index(self) -> oci.Index:
        return oci.Index(
            schema_version=2,
            media_type=oci.MEDIA_INDEX,
            manifests=[*map(self._descriptor, self._results), *(each.descriptor for each in self._attestations)],
            annotations=dict(self._options.annotations),
        )

    def _descriptor(self, result: Result) -> oci.Descriptor:
        size = self._stores.content.path(result.record.manifest).stat().st_size
        digest = result.record.manifest
        return oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest=digest, size=size, platform=_platform(result))

    async def hand_over(self, caller: Caller) -> None:
        """Gives the caller its outputs."""
        for number, output in enumerate(requests.outputs(self._options)):
            if requests.is_to_caller(output):
                await self._hand_over(caller, number, output)
        for cache in self._options.cache_to:
            if cache.kind == "local":
                with self._narration.step("exporting cache to client directory"):
                    await self._hand_over_cache(caller, cache)

    async def _hand_over_cache(self, caller: Caller, cache: CacheTarget) -> None:
        document = self._listed(everything=cache.everything)
        for layer in document.layers:
            await caller.take_blob(cache.reference, layer, self._pieces(pieces_of(self._stores.content.path(layer.digest))))
        written = encode(document.manifest)
        described = oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest=digest_of(written), size=len(written))
        for blob, data in (*document.bodies, (described, written)):
            await caller.take_blob(cache.reference, blob, self._pieces(iter([data])))
        caller.tell_cache(described)
        self._narration.tell_status(f"writing cache manifest {described.digest}")

    async def outputs(self) -> AsyncGenerator[Progress, None]:
        """Yields the outputs for the caller in pieces, each with the output's number; exported caches come last."""
        if not self._results:
            return
        number = 0
        for output in requests.outputs(self._options):
            if requests.is_to_caller(output):
                async for piece in self._pieces(self._archive(output)):
                    yield Progress(output=piece, number=number)
            number += 1
        for cache in self._options.cache_to:
            if cache.kind == "local":
                async for piece in self._pieces(
                    travelling.layout(self._listed(everything=cache.everything), self._stores.content)
                ):
                    yield Progress(output=piece, number=number)
            number += 1

    async def _hand_over(self, caller: Caller, number: int, output: Output) -> None:
        with self._narration.step(f"exporting to {_NAMES[output.kind]}"):
            if output.kind != "local":
                await caller.take_file(number, self._pieces(self._archive(output)))
                return
            async with self._layering.mounted(self._results[-1].image) as root:
                await caller.take_tree(number, Path(f"/proc/self/fd/{root}"))
            self._narration.tell_status("copying files")

    def _archive(self, output: Output) -> Iterator[bytes]:
        if output.kind in ("local", "tar"):
            return self._root_file_system(self._results[-1].image)
        tags = requests.references(self._options.tags)
        if not self._has_index() or output.kind != "oci":
            return save.archive([save.Saved(self._results[0].record, tags)], self._stores.content)
        return self._index_layout(tags)

    def _index_layout(self, tags: list[Reference]) -> Iterator[bytes]:
        """An OCI layout whose index names the index of the platforms."""
        body = encode(self._index())
        names = [save.names_of(tag) for tag in tags]
        entries = [
            oci.Descriptor(media_type=oci.MEDIA_INDEX, digest=digest_of(body), size=len(body), annotations=name)
            for name in names or [{}]
        ]
        top = oci.Index(schema_version=2, media_type=oci.MEDIA_INDEX, manifests=entries)
        bodies = [body, *(data for each in self._attestations for _, data in each.bodies)]
        return save.layout(
            top, bodies, [digest for result in self._results for digest in result.record.blobs], self._stores.content
        )

    def _root_file_system(self, image: BuiltImage) -> Iterator[bytes]:
        """A tar of all files of an image, piece by piece."""
        if not image.config.rootfs.diff_ids:
            yield _END
            return
        with self._layering.opened(image) as root:
            empty = True
            for piece in difference.layer(Path(f"/proc/self/fd/{root}"), []):
                empty = False
                yield piece
            if empty:
                yield _END

    async def _pieces(self, chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Joins pieces to larger ones, each made in a thread."""

        def piece() -> bytes:
            data = bytearray()
            while len(data) < _PIECE and (chunk := next(chunks, None)) is not None:
                data += chunk
            return bytes(data)

        while data := await in_thread(piece):
            yield data


def _platform(result: Result) -> oci.Platform:
    config = result.image.config
    return oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)
