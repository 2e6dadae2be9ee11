"""What a client's session offers, as the builder's ``Caller``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.session.session import Session
from moby_tui.errors import NotFound
from moby_tui.schema import oci
from moby_tui.schema.build import Examined, Made, Sent, StepContainer, Warned
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.operations import Graph


class Supplier:
    """Implements ``schema.build.Caller``. ``images`` is done once the images are made; they are exported after ``go_on``.

    ``read`` decodes a graph of operations.
    """

    def __init__(self, session: Session, warn: Callable[[Warned], None], read: Callable[[bytes], Graph]) -> None:
        self._session = session
        self._read = read
        self._warn = warn
        self._export = asyncio.Event()
        self._config: oci.ImageConfig | None = None
        #: takes the container of a sandbox
        self.user: Callable[[StepContainer], Awaitable[None]] | None = None
        #: digest and configuration of an image that was looked up
        self.found = ("", b"")
        self.images: asyncio.Future[Sequence[Made]] = asyncio.get_running_loop().create_future()
        #: what a build that only checks has found
        self.examined: Examined | None = None
        #: the provenance of each image
        self.provenance: list[tuple[oci.Platform, bytes]] = []
        #: the manifest of the cache that was exported
        self.cache: oci.Descriptor | None = None
        self.key = session.shared_key

    def go_on(self, config: oci.ImageConfig | None) -> None:
        """``config`` is for the image of a graph of operations."""
        self._config = config
        self._export.set()

    async def fill(
        self,
        folder: str,
        into: Path,
        *,
        exclude: Sequence[str] = (),
        only: Sequence[str] = (),
        include: Sequence[str] = (),
        inventory: bytes = b"",
    ) -> Sent:
        size = 0

        def count(arrived: int) -> None:
            nonlocal size
            size = arrived

        selection = Selection(folder, include, exclude, only)
        received = await self._session.sync_context(selection, into, count, inventory)
        return Sent(size, received.changed, received.inventory)

    async def secret(self, ident: str) -> bytes | None:
        try:
            return await self._session.secret(ident)
        except NotFound:
            return None

    async def login(self, domain: str) -> RegistryAuth | None:
        return await self._session.credentials(domain)

    @asynccontextmanager
    async def agent(self, ident: str, folder: Path) -> AsyncIterator[str | None]:
        async with AsyncExitStack() as stack:
            try:
                agent = await stack.enter_async_context(self._session.ssh(ident, folder))
            except NotFound:
                agent = None
            yield agent

    async def made(self, images: Sequence[Made]) -> oci.ImageConfig | None:
        if not self.images.done():
            self.images.set_result(images)
        await self._export.wait()
        return self._config

    def tell_provenance(self, platform: oci.Platform, predicate: bytes) -> None:
        self.provenance.append((platform, predicate))

    def graph(self, data: bytes) -> Graph:
        return self._read(data)

    async def use(self, container: StepContainer) -> None:
        assert self.user is not None
        await self.user(container)

    def find(self, digest: str, config: bytes) -> None:
        self.found = digest, config

    def warn(self, warned: Warned) -> None:
        self._warn(warned)

    def tell(self, examined: Examined) -> None:
        self.examined = examined

    def blob(self, store: str, digest: str) -> AsyncIterator[bytes]:
        return self._session.read_blob(store, digest)

    async def take_blob(self, store: str, blob: oci.Descriptor, pieces: AsyncIterator[bytes]) -> None:
        await self._session.write_blob(store, blob.digest, blob.size, pieces)

    def tell_cache(self, manifest: oci.Descriptor) -> None:
        self.cache = manifest

    async def take_trees(self, number: int, roots: Sequence[tuple[str, Path]]) -> None:
        await self._session.send_trees(roots, number)

    async def take_file(self, number: int, pieces: AsyncIterator[bytes]) -> None:
        await self._session.send_file(pieces, {}, number)
