"""Builds and runs for tests."""

from __future__ import annotations

import io
import tarfile
import textwrap
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from moby_tui.engine.engine import Engine
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.image import Progress


def context(dockerfile: str, files: Mapping[str, bytes]) -> bytes:
    """A build context as a plain tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (({"Dockerfile": textwrap.dedent(dockerfile).encode()} if dockerfile else {}) | dict(files)).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """An upload in one piece."""
    yield data


class Done(NamedTuple):
    id: str
    text: str


class Build:
    def __init__(
        self, engine: Engine, text: str, files: Mapping[str, bytes], /, *, raw: bytes | None = None, **options: Any
    ) -> None:
        self._engine = engine
        self._sent = context(text, files) if raw is None else raw
        self._options = options

    def lines(self) -> AsyncGenerator[Progress, None]:
        contexts = self._options.pop("uploads", None)
        return self._engine.builder.build(self._pieces(), BuildOptions(**self._options), contexts)  # type: ignore[return-value]

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield self._sent[:1000]
        yield self._sent[1000:]

    async def done(self) -> Done:
        text, ident = "", ""
        async for line in self.lines():
            text += line.stream or ""
            ident = str((line.aux or {}).get("ID", ident))
        return Done(ident, text)


async def build(engine: Engine, text: str, files: Mapping[str, bytes] | None = None, /, **options: Any) -> Done:
    return await Build(engine, text, files or {}, **options).done()


async def run(engine: Engine, image: str, cmd: list[str] | None = None, entrypoint: list[str] | None = None) -> tuple[int, str]:
    """Status and standard output of a container, which is removed."""
    asked = ContainerCreate(image=image, cmd=cmd, entrypoint=entrypoint, host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(asked)).id
    stream = await engine.containers.attach(ident, AttachOptions(stderr=False))
    waiting = await engine.containers.wait(ident, condition="next-exit")
    await engine.containers.start(ident)
    out = b"".join([data async for _, data in stream.output()])
    status = (await waiting.result()).status_code
    stream.close()
    await engine.containers.remove(ident, volumes=True)
    return status, out.decode()


@asynccontextmanager
async def another(roots: tuple[Path, Path], archive: Path) -> AsyncIterator[Engine]:
    """An engine that has the base image and nothing else."""

    async def content() -> AsyncIterator[bytes]:
        yield archive.read_bytes()

    async with Engine.open(roots[0].parent / "d2", roots[1].parent / "r2") as engine:
        async for _ in engine.images.load(content()):
            pass
        yield engine
