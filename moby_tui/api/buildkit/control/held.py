"""One build of the engine for a client, which directs when its images are exported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from moby_tui.api.buildkit.control import definition, exporters
from moby_tui.api.buildkit.control.progress import Reporter
from moby_tui.api.buildkit.control.supplier import Supplier
from moby_tui.api.buildkit.session.session import Session
from moby_tui.api.buildkit.wire.control_pb2 import SolveRequest
from moby_tui.api.client.protocol import Client
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import BuildOptions, Examined, Made, Warned
from moby_tui.schema.image import Progress


class HeldBuild:
    """A build of the engine for one client. Images are held before their export until the client wants it."""

    def __init__(self, request: SolveRequest, reporter: Reporter, session: Session, options: BuildOptions) -> None:
        self.id = os.urandom(12).hex()
        self.failure: MobyError | None = None
        self._request = request
        self._reporter = reporter
        self._session = session
        self._options = options
        self.supplier = Supplier(session, self._warn, definition.read_file)
        self._warned: list[Warned] = []
        #: of the image, of what its name means, and the description of that
        self._digest = self._top = self._descriptor = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self, client: Client, sent: AsyncIterator[bytes] | None) -> None:
        """``sent`` is the context, if it does not come in the session by its name."""
        self._task = asyncio.create_task(self._build(client, sent))

    async def images(self) -> Sequence[Made]:
        """Waits for the images, which are not exported yet. Raises ``MobyError``."""
        assert self._task is not None
        images = self.supplier.images
        waited: list[asyncio.Future[Any]] = [self._task, images]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not images.done():
            await self._task
            raise InvalidArgument("the build has made no image")
        return images.result()

    @property
    def has_graph(self) -> bool:
        return self._options.graph is not None

    async def carried_out(self) -> None:
        """Waits for the end of a build that makes no image. Raises ``MobyError``, and what the use of its container raises."""
        assert self._task is not None
        await self._task

    async def examined(self) -> Examined:
        """Waits for what the build, which only checks, has found. Raises ``MobyError``."""
        assert self._task is not None
        await self._task
        assert self.supplier.examined is not None
        return self.supplier.examined

    async def export(self, config: oci.ImageConfig | None) -> dict[str, str]:
        """Waits for the end of the export; returns the exporters' answer. ``config`` is for the image of a graph. Raises ``MobyError``."""
        assert self._task is not None
        self.supplier.go_on(config)
        await self._task
        made = self.supplier.images.result()
        names = exporters.names(self._request)
        # dockerd's own store knows images by their configuration
        is_stored = any(output.kind == "image" for output in self._options.outputs)
        answer = {
            "containerimage.digest": self._digest if is_stored else self._top,
            "containerimage.config.digest": self._digest if len(made) == 1 else "",
            "containerimage.descriptor": "" if is_stored else self._descriptor,
            "image.name": ",".join(map(_canonical, names)),
        }
        if not any(output.kind in ("image", "oci", "docker") for output in self._options.outputs):
            answer = {}
        if self.supplier.cache is not None:
            # the client notes it in the index of its store
            answer["cache.manifest"] = encode(self.supplier.cache).decode()
        return {name: value for name, value in answer.items() if value}

    async def close(self) -> None:
        """Ends a build that is not exported, and what it holds."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def _build(self, client: Client, sent: AsyncIterator[bytes] | None) -> None:
        lines = client.builder.build(sent, self._options, None, self.supplier)
        try:
            async with aclosing(lines):  # type: ignore[type-var]
                async for line in lines:
                    await self._tell(line)
        except MobyError as error:
            self.failure = error
            raise

    async def _tell(self, line: Progress) -> None:
        while self._warned:
            await self._reporter.warn(self._warned.pop(0))
        await self._reporter.report(line)
        if line.aux and "ID" in line.aux:
            self._digest, self._top = str(line.aux["ID"]), str(line.aux.get("Digest", ""))
            self._descriptor = str(line.aux.get("Descriptor", ""))

    def _warn(self, warned: Warned) -> None:
        self._warned.append(warned)


def _canonical(name: str) -> str:
    return parse(name).canonical
