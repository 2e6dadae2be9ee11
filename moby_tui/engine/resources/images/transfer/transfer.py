"""Pull, push, load, import and save, for ``ImageManager``: locks, policy, registration and progress."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.resources.images import hello
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.names import Names
from moby_tui.engine.resources.images.progress import Report
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store import staging, written
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import MobyError, NotFound
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.image import Progress, RegistryAuth

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.provenance.policy import Policy
    from moby_tui.engine.resources.images.slots import Slots
    from moby_tui.engine.resources.images.transfer.pull import Image, Pulled
    from moby_tui.engine.resources.images.transfer.save import Saved

DEFAULT_POLICY = Path("/etc/moby/policy.json")
#: ``(action, id, image, name)``
Tell = Callable[[str, str, ImageRecord, str], object]


class Transfers:
    """The transfers of one engine. Progress goes to a ``Report``."""

    def __init__(
        self,
        paths: Paths,
        rows: ImageRows,
        names: Names,
        content: ContentStore,
        layers: LayerStore,
        tell: Tell,
        options: EngineOptions,
        slots: Slots,
    ) -> None:
        self._paths = paths
        self._rows = rows
        self._names = names
        self._content = content
        self._layers = layers
        self._tell = tell
        self._lock = paths.blobs / "lock"
        self._options = options
        self._slots = slots

    async def pull(self, wanted: Reference, platform: str, auth: RegistryAuth | None, report: Report) -> None:
        before = self._rows.by_reference(wanted.key)
        with self.arrival():
            pulled = await self._pulled(wanted, platform, auth, report)
            self._rows.put(pulled.record, [wanted.key, wanted.at(pulled.digest).key])
        self._tell("pull", wanted.familiar, pulled.record, wanted.familiar_repository)
        report.status(f"Digest: {pulled.digest}")
        report.status(_outcome(before, pulled.record, wanted))

    async def pull_all(self, repository: Reference, platform: str, auth: RegistryAuth | None, report: Report) -> None:
        """Every tag of a repository, one after the other."""
        from moby_tui.engine.resources.images.registry.registry import Registry

        async with Registry(repository, auth, self._options) as registry:
            tags = await registry.tags()
        if not tags:
            raise NotFound(f"{repository.familiar_repository} has no tags; check the name")
        for tag in tags:
            await self.pull(parse(f"{repository.repository}:{tag}"), platform, auth, report)

    async def fetch(self, wanted: Reference, platform: str, auth: RegistryAuth | None, report: Report) -> ImageRecord:
        """As ``pull``, for any platform. The name keeps meaning the image that it means now."""
        with self.arrival():
            record = (await self._pulled(wanted, platform, auth, report)).record
            if self._rows.get(record.id) is None:
                self._rows.put(record, [wanted.at(record.manifest).key])
        return record

    async def _pulled(self, wanted: Reference, platform: str, auth: RegistryAuth | None, report: Report) -> Pulled:
        from moby_tui.engine.resources.images.registry.registry import Mirrors
        from moby_tui.engine.resources.images.transfer.pull import Pull

        policy = await in_thread(self._policy)
        async with Mirrors(wanted, auth, self._options) as registry:

            async def admit(digests: list[str]) -> None:
                if policy:
                    await policy.admit(wanted, digests, registry)

            pull = Pull(wanted, registry, self._content, self._layers, self._paths.staging, report, admit, self._slots.downloads)
            return await pull.run(platform)

    async def admit_archive(self) -> None:
        """Raises ``Forbidden`` if the signature policy admits no archives: their signatures cannot be checked."""
        if policy := await in_thread(self._policy):
            policy.admit_archive()

    def _policy(self) -> Policy | None:
        """The signature policy; None without a file, and then nothing is imported for it. Blocking."""
        chosen = self._options.signature_policy
        path = chosen or DEFAULT_POLICY
        # a dangling link is an unreadable policy, which refuses, and not a missing one
        if chosen is None and not os.path.lexists(path):
            return None
        from moby_tui.engine.resources.images.provenance.policy import Policy

        return Policy.read(path)

    async def make_hello(self, report: Report) -> None:
        """Makes ``moby/hello``, which is computed and not pulled."""
        from moby_tui.engine.resources.images import manifest as manifests
        from moby_tui.engine.resources.images.transfer.pull import Image

        architecture = platforms.host().architecture
        if not hello.supports(architecture):
            raise NotFound(f"no matching manifest for linux/{architecture} in moby/hello")
        before = self._rows.by_reference(hello.REFERENCE.key)
        report.status("Pulling from moby/hello", "latest")
        tar = hello.layer(architecture)
        config_body, manifest_body = hello.image(architecture, tar)
        document = manifests.read(manifest_body, oci.MEDIA_MANIFEST, "moby/hello")
        assert isinstance(document, oci.Manifest)
        with self.arrival():
            await self._layers.make([tar], digest_of(tar))
            digests = [self._content.write(body, self._paths.staging) for body in (tar, config_body, manifest_body)]
            image = Image(document, digests[-1], manifests.read_config(config_body, 1, "moby/hello"))
            record = self._register(image, [hello.REFERENCE.key, hello.REFERENCE.at(image.digest).key])
        self._tell("pull", hello.REFERENCE.familiar, record, hello.REFERENCE.familiar_repository)
        report.status(f"Digest: {image.digest}")
        report.status(
            "Status: "
            + ("Image is up to date for" if before and before.id == record.id else "Made on this machine:")
            + " moby/hello:latest"
        )

    async def load(self, archive: AsyncIterator[bytes], wanted: Sequence[str], report: Report) -> None:
        """``wanted``: the platforms whose images are loaded, if not all are."""
        from moby_tui.engine.resources.images.transfer.early import EarlyLayers
        from moby_tui.engine.resources.images.transfer.load import Loader, take_apart

        chosen = [platforms.parse(platform) for platform in wanted]
        if policy := await in_thread(self._policy):
            policy.admit_archive()
        async with staging.claim(self._paths.staging, f"load-{os.urandom(8).hex()}") as folder:
            early = EarlyLayers(self._layers, self._content, folder / "early")
            with self.arrival():
                async with early:
                    taken_apart = await take_apart(archive, folder / "members", None if chosen else early)
                    images = await Loader(self._content, self._layers, self._paths.staging, chosen, early).images(taken_apart)
                for loaded in images:
                    former = [(reference.familiar, self._rows.by_reference(reference.key)) for reference in loaded.references]
                    record = self._register(loaded.image, [reference.key for reference in loaded.references])
                    self._tell("load", record.id, record, record.id)
                    for name, image in former:
                        if image and image.id != record.id:
                            text = f"The image {name} already exists, renaming the old one with ID {image.id} to empty string\n"
                            report.say(Progress(stream=text))
                    for reference in loaded.references:
                        report.say(Progress(stream=f"Loaded image: {reference.familiar}\n"))
                    if not loaded.references:
                        report.say(Progress(stream=f"Loaded image ID: {record.id}\n"))

    async def import_tar(
        self, archive: AsyncIterator[bytes] | str, target: Reference | None, config: oci.ImageConfig, report: Report
    ) -> None:
        """``archive``: a tar, or the address of one."""
        from moby_tui.engine.resources.images.transfer.load import Loader, receive

        async with staging.claim(self._paths.staging, f"import-{os.urandom(8).hex()}") as folder:
            if isinstance(archive, str):
                async with aclosing(_fetched(archive, report)) as pieces:
                    await receive(pieces, folder / "archive")
            else:
                await receive(archive, folder / "archive")
            with self.arrival():
                loader = Loader(self._content, self._layers, self._paths.staging)
                image = await loader.root_file_system(folder / "archive", config)
                record = self._register(image, [target.key] if target else [])
        self._tell("import", record.id, record, record.id)
        report.status(record.id)

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """Around a pull or load: no sweep runs, errors of the disk become ``MobyError``; at the end new content is written through."""
        try:
            with staging.shared(self._lock), refusals_told():
                yield
        except OSError as error:
            raise MobyError(f"the image store failed: {error}; check the data root {self._paths.data_root}") from error
        finally:
            if written.is_pending():
                self._layers.write_through_soon()

    def _register(self, image: Image, references: list[str]) -> ImageRecord:
        record = image.record([], self._content, self._layers)
        self._rows.put(record, references)
        return record

    async def push(self, wanted: list[tuple[Reference, ImageRecord]], auth: RegistryAuth | None, report: Report) -> None:
        from moby_tui.engine.resources.images.registry.hosts import PUSH
        from moby_tui.engine.resources.images.registry.registry import Registry
        from moby_tui.engine.resources.images.transfer.push import Push

        first = wanted[0][0]
        sources = self._names.lenders(first)
        lenders = {lender for lenders in sources.values() for lender in lenders} - {first.path}
        # no sweep while blobs are sent
        with self.arrival():
            async with Registry(first, auth, self._options, purpose=PUSH, sources=sorted(lenders)) as registry:
                for reference, record in wanted:
                    digest = await Push(record, registry, self._content, sources, report, self._slots.uploads).run(reference)
                    self._rows.put(record, [reference.at(digest).key])
                    self._tell("push", reference.familiar, record, reference.familiar_repository)

    async def save(self, images: list[Saved]) -> AsyncGenerator[bytes, None]:
        """The tar, in pieces."""
        from moby_tui.engine.resources.images.transfer import save

        # no sweep while blobs are saved
        with self.arrival():
            pieces = save.archive(images, self._content)
            while (piece := await in_thread(next, pieces, None)) is not None:
                yield piece
        for image in images:
            self._tell("save", image.record.id, image.record, image.record.id)


async def _fetched(address: str, report: Report) -> AsyncGenerator[bytes, None]:
    """What lies behind an address; one without a scheme is of http, as to dockerd."""
    from moby_tui.engine.resources.images.registry.web import Download

    address = address if "://" in address else f"http://{address}"
    download, count, done = Download(address), None, 0
    async with aclosing(download.pieces()) as pieces:
        async for piece in pieces:
            if count is None:
                report.status(f"Downloading from {address}")
                count = report.counter("Importing", "", download.size)
            done += len(piece)
            count(done)
            yield piece


def _outcome(before: ImageRecord | None, record: ImageRecord, reference: Reference) -> str:
    if before and before.id == record.id:
        return f"Status: Image is up to date for {reference.familiar}"
    return f"Status: Downloaded newer image for {reference.familiar}"
