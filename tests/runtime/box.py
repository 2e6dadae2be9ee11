"""Running containers for tests, through the engine in this process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.stream import STDERR


@dataclass
class Finished:
    """What a container wrote, and how it ended."""

    code: int
    out: str
    err: str
    id: str


class Box:
    """``await box.run("echo", "hi")`` starts a container of the busybox image, attached, and waits for its end."""

    def __init__(self, engine: Engine, image: str) -> None:
        self.engine = engine
        self.image = image

    async def create(self, *command: str, host: dict[str, Any] | None = None, name: str = "", **config: Any) -> str:
        settings = HostConfig(**({"network_mode": "none"} | (host or {})))
        asked = ContainerCreate(image=self.image, cmd=list(command), host_config=settings, **config)
        return (await self.engine.containers.create(asked, name=name)).id

    async def start(self, *command: str, **options: Any) -> str:
        ident = await self.create(*command, **options)
        await self.engine.containers.start(ident)
        return ident

    async def run(self, *command: str, stdin: bytes | None = None, **options: Any) -> Finished:
        if stdin is not None:
            options |= {"open_stdin": True, "stdin_once": True}
        ident = await self.create(*command, **options)
        stream = await self.engine.containers.attach(ident, AttachOptions(stdin=stdin is not None))
        waiter = await self.engine.containers.wait(ident, condition="next-exit")
        await self.engine.containers.start(ident)
        if stdin is not None:
            feeding = asyncio.create_task(self._feed(stream, stdin))
        parts: dict[int, bytearray] = {1: bytearray(), STDERR: bytearray()}
        async for number, data in stream.output():
            parts[number] += data
        if stdin is not None:
            await feeding
        stream.close()
        ended = await waiter.result()
        return Finished(ended.status_code, parts[1].decode(), parts[STDERR].decode(), ident)

    async def _feed(self, stream: Any, data: bytes) -> None:
        for start in range(0, len(data), 65536):
            await stream.write(data[start : start + 65536])
        stream.close_stdin()


def cgroup_folders(ident: str) -> list[Path]:
    # not ``**``: groups that stand by come and go meanwhile
    return [path for pattern in ("moby", "*/moby") for path in Path("/sys/fs/cgroup").glob(f"{pattern}/{ident}")]
