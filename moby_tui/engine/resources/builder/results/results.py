"""The outputs of a build: images in the store, pushes, archives, files, caches."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence, Set
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.archive.compression import pieces_of
from moby_tui.engine.resources.builder import requests
from moby_tui.engine.resources.builder.execution import written
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.graph import travelling
from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.builder.llb.vertices import Names
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.results import attestations, export
from moby_tui.engine.resources.builder.results.attestations import Attestation
from moby_tui.engine.resources.builder.results.export import Export, Result, Stating
from moby_tui.engine.resources.builder.results.files import Files
from moby_tui.engine.resources.builder.results.provenance import Story, predicate, state
from moby_tui.engine.resources.builder.sources import named
from moby_tui.engine.resources.builder.stores import Stores
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.resources.images.transfer import save
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import BuildOptions, CacheTarget, Caller, Made, Output
from moby_tui.schema.image import Progress, RegistryAuth
from moby_tui.schema.operations import Attested

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


class Results:
    """The results of one build. ``auth`` finds the caller's login for a reference, ``kept`` the digests of the base images' layers."""

    def __init__(
        self,
        stores: Stores,
        layering: Layering,
        options: BuildOptions,
        auth: Callable[[str], Awaitable[RegistryAuth | None]],
        kept: Callable[[], Set[str]],
        narration: Narration,
    ) -> None:
        self._stores = stores
        self._layering = layering
        self._options = options
        self._files = Files(layering, requests.epoch(options))
        self._auth = auth
        self._kept = kept
        self._narration = narration
        self._results: list[Result] = []
        #: what is stated of each image, by the digest of its manifest: made of its description in an output
        self._stating: defaultdict[str, list[Stating]] = defaultdict(list)
        self._exports: dict[int, Export] = {}
        self._trail: Mapping[str, BuiltImage] = {}
        self._names: Mapping[str, Names] = {}

    def add(self, result: Result) -> None:
        self._results.append(result)

    def replace(self, result: Result) -> None:
        """In place of the one result so far."""
        self._results = [result]

    def attest(self, story: Story) -> None:
        """Has provenance made of each image, if it is asked for and goes somewhere."""
        provenance = self._options.provenance
        if provenance is None or not self._takes_statements():
            return
        tags = requests.references(self._options.tags)

        def stating(image: oci.Descriptor) -> attestations.Statement:
            return state(image, tags, self._options, provenance, story)

        for result in self._results:
            self._stating[result.record.manifest].append(stating)

    def tell_provenance(self, caller: Caller, story: Story) -> None:
        """Tells the caller the provenance of each image, for its record of the build."""
        if (asked := self._options.recorded) is not None:
            for result in self._results:
                caller.tell_provenance(result.platform, encode(predicate(result.platform, self._options, asked, story)))

    async def scan(self, scanner: Callable[[BuiltImage], Awaitable[list[bytes]]]) -> None:
        """Has a scanner make the bill of materials of each image, if it goes somewhere. Raises ``InvalidArgument``, and its errors."""
        if not self._takes_statements():
            return
        tags = requests.references(self._options.tags)
        for result in self._results:
            made = [
                _checked(partial(attestations.of_bundle, data, attestations.SPDX, tags=tags), _descriptor(result, self._stores))
                for data in await scanner(result.image)
            ]
            # as with BuildKit, before the provenance
            self._stating[result.record.manifest][:0] = made

    async def take(self, result: Result, attested: Sequence[Attested]) -> None:
        """A result, with statements of it that are in files of other images. Raises ``InvalidArgument``."""
        self.add(result)
        tags, image = requests.references(self._options.tags), _descriptor(result, self._stores)
        for each in attested:
            async with self._layering.mounted(named.made(each.manifest, self._stores.content)) as root:
                if each.is_bundle:
                    bodies = await in_thread(written.files, root, each.path)
                    stating = [partial(attestations.of_bundle, data, each.predicate_type, tags=tags) for data in bodies]
                else:
                    data = await in_thread(written.file, root, each.path)
                    stating = [partial(attestations.of_predicate, data, each, tags=tags)]
            self._stating[result.record.manifest] += [_checked(one, image) for one in stating]

    def _takes_statements(self) -> bool:
        return any(map(requests.takes_provenance, requests.outputs(self._options)))

    def made(self) -> list[Made]:
        return [
            Made(
                result.record.id,
                result.image.config,
                _descriptor(result, self._stores),
                partial(self._layering.opened, result.image),
            )
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
        stored = [number for number, output in enumerate(outputs) if requests.is_stored(output)]
        if stored:
            with self._narration.step("exporting to image"):
                for record in await in_thread(self._store, tags, await self._export(stored[0])):
                    self._stores.images.tell_creation(record)
                self._narration.tell_status("exporting layers")
                await self._tell_result(first, stored[0])
                self._narration.tell_status(f"writing image {first.image.id}")
                for tag, name in zip(tags, dict.fromkeys(map(_untagged, self._options.tags)), strict=True):
                    await self._stores.images.tag(first.record.id, tag.familiar)
                    self._narration.note(f"Successfully tagged {tag.familiar}\n")
                    self._narration.tell_status(f"naming to {name}")
        else:
            archived = (number for number, output in enumerate(outputs) if output.kind in ("oci", "docker"))
            await self._tell_result(first, next(archived, None))
        for number in stored:
            if requests.is_pushed(outputs[number]):
                for tag in tags:
                    with self._narration.step(f"pushing {tag.familiar} with docker"):
                        await self._push(tag, await self._export(number), by_digest=outputs[number].by_digest)
        for cache in self._options.cache_to:
            if cache.kind == "registry":
                with self._narration.step(f"exporting cache to registry {cache.reference}"):
                    await self._push_cache(parse(cache.reference).tagged(), self._listed(everything=cache.everything))

    def _first(self) -> Result:
        """The image that a tag means here: the one for this machine if there is one, else the first."""
        host = platforms.host()
        fitting = (result for result in self._results if platforms.runs(host, result.platform))
        return next(fitting, self._results[0])

    def _store(self, tags: list[Reference], made: Export) -> list[ImageRecord]:
        """Registers the image of each platform, and returns those that were not there. Those that no tag means are found through the index,
        or by digest. Blocking."""
        new = list[ImageRecord]()
        index = (
            [self._stores.content.write(encode(made.index), self._stores.paths.staging)]
            if len(self._results) > 1 and made.index is not None
            else []
        )
        for result in self._results:
            record, names = result.record, [] if result is self._first() else [tag.at(result.record.manifest).key for tag in tags]
            blobs = sorted({*record.blobs, *index})
            known = self._stores.rows.get(record.id)
            if known != record or index:
                self._stores.rows.put(msgspec.structs.replace(record, blobs=blobs), names)
            if known is None:
                new.append(record)
        return new

    async def _export(self, number: int) -> Export:
        """The images as the output of this number has them. Raises ``InvalidArgument``."""
        if number not in self._exports:
            output = requests.outputs(self._options)[number]
            stating = self._stating if requests.takes_provenance(output) else {}
            made = await in_thread(export.make, self._results, output, stating, self._kept(), self._stores)
            self._exports[number] = made
        return self._exports[number]

    async def _tell_result(self, last: Result, number: int | None) -> None:
        """``number`` is that of the output whose digest is told."""
        aux: dict[str, str | int] = {"ID": last.image.id, "Digest": last.record.manifest}
        if number is not None:
            # what an output refuses, it refuses in its own step
            with suppress(InvalidArgument):
                top = (await self._export(number)).top
                aux |= {"Digest": top.digest, "Descriptor": base64.b64encode(encode(top)).decode()}
        self._narration.say(Progress(aux=aux))
        self._narration.note(f"Successfully built {last.image.short}\n")

    async def _push(self, tag: Reference, made: Export, *, by_digest: bool) -> None:
        if made.index is None and not by_digest and made.images == self._results:
            async with aclosing(self._stores.images.push(tag.familiar, auth=await self._auth(tag.familiar))) as lines:  # type: ignore[type-var]
                async for line in lines:
                    if line.aux is None:
                        self._narration.say(line)
            return
        from moby_tui.engine.resources.images.registry.hosts import PUSH
        from moby_tui.engine.resources.images.registry.registry import Registry
        from moby_tui.engine.resources.images.transfer.push import Push

        async with Registry(tag, await self._auth(tag.familiar), self._stores.images.options(), purpose=PUSH) as registry:
            for result in made.images:
                # of several images each goes by its digest; the tag is that of the index
                is_tagged = made.index is None and not by_digest
                place = tag if is_tagged else msgspec.structs.replace(tag, tag=result.record.manifest)
                await Push(result.record, registry, self._stores.content, {}, Report(), self._stores.images.slots.uploads).run(
                    place
                )
            for attestation in made.attestations:
                await self._push_attestation(registry, attestation)
            if made.index is not None:
                await registry.put_manifest(made.top.digest if by_digest else tag.tag, made.top.media_type, encode(made.index))
        name = made.top.digest if by_digest else tag.tag
        self._narration.say(Progress(status=f"{name}: digest: {made.top.digest} size: {made.top.size}"))

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
                async for piece in self._pieces(await self._archive(number, output)):
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
            if output.kind == "local":
                await self._hand_over_files(caller, number, output)
                return
            if output.kind in ("oci", "docker"):
                self._narration.tell_status("exporting layers")
                await self._tell_export(await self._export(number))
            if output.store:
                await self._hand_over_layout(caller, output.store, await self._export(number))
                return
            await caller.take_file(number, self._pieces(await self._archive(number, output)))
            self._narration.tell_status("sending tarball")

    async def _tell_export(self, made: Export) -> None:
        for result in made.images:
            self._narration.tell_status(f"exporting manifest {result.record.manifest}")
            self._narration.tell_status(f"exporting config {result.record.id}")
        for each in made.attestations:
            self._narration.tell_status(f"exporting attestation manifest {each.descriptor.digest}")
        if made.index is not None:
            self._narration.tell_status(f"exporting manifest list {made.top.digest}")

    async def _hand_over_layout(self, caller: Caller, store: str, made: Export) -> None:
        """Gives the caller's store the blobs of an OCI layout, whose index it writes itself."""
        for digest in made.blobs:
            path = self._stores.content.path(digest)
            blob = oci.Descriptor(media_type="", digest=digest, size=path.stat().st_size)
            await caller.take_blob(store, blob, self._pieces(pieces_of(path)))
        for body in made.documents:
            blob = oci.Descriptor(media_type="", digest=digest_of(body), size=len(body))
            await caller.take_blob(store, blob, self._pieces(iter([body])))

    async def _archive(self, number: int, output: Output) -> Iterator[bytes]:
        if output.kind in ("local", "tar"):
            return self._files.tar(self._results, output)
        made, tags = await self._export(number), requests.references(self._options.tags)
        if output.kind == "docker":
            return save.archive([save.Saved(made.images[0].record, tags)], self._stores.content, made.layout(tags))
        return save.layout(made.layout(tags), made.documents, made.blobs, self._stores.content)

    async def _hand_over_files(self, caller: Caller, number: int, output: Output) -> None:
        async with self._files.roots(self._results, output) as roots:
            await caller.take_trees(number, roots)
        for name, _ in roots:
            self._narration.tell_status(f"copying files {name.replace('_', '/')}".rstrip())

    async def _pieces(self, chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Joins pieces to larger ones, each made in a thread."""

        def piece() -> bytes:
            data = bytearray()
            while len(data) < _PIECE and (chunk := next(chunks, None)) is not None:
                data += chunk
            return bytes(data)

        while data := await in_thread(piece):
            yield data


def _descriptor(result: Result, stores: Stores) -> oci.Descriptor:
    size = stores.content.path(result.record.manifest).stat().st_size
    return oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest=result.record.manifest, size=size, platform=result.platform)


def _checked(stating: Stating, image: oci.Descriptor) -> Stating:
    """The same, after it has made one statement: a file that is none is refused before anything is exported. Raises ``InvalidArgument``."""
    stating(image)
    return stating


def _untagged(name: str) -> str:
    """The name as it was written, with its registry, and without a tag that nobody has named."""
    return parse(name).canonical
