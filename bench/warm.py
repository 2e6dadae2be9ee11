"""The worker of the SDK's stage: an engine that is open, and one container of ``true`` after another."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.runner import furnish, serve
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding

WITHOUT_NETWORK = HostConfig(network_mode="none")
WITH_PORT = HostConfig(network_mode="bridge", port_bindings={"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="18080")]})


class Warm:
    def __init__(self, loop: asyncio.AbstractEventLoop, engine: Engine) -> None:
        self._loop = loop
        self._engine = engine

    def start_true(self, port: bool) -> dict[str, Any]:
        return {"seconds": self._loop.run_until_complete(self._start_true(WITH_PORT if port else WITHOUT_NETWORK))}

    async def _start_true(self, host_config: HostConfig) -> float:
        containers = self._engine.containers
        config = ContainerCreate(image="busybox", cmd=["true"], host_config=host_config)
        container = (await containers.create(config)).id
        wait = await containers.wait(container, condition="next-exit")
        began = time.perf_counter()
        await containers.start(container)
        ended = await wait.result()
        seconds = time.perf_counter() - began
        if ended.status_code != 0:
            raise RuntimeError(f"true ended with status {ended.status_code}")
        await containers.remove(container)
        return seconds


async def _open(folder: Path, archive: Path) -> Engine:
    engine = await Engine.open(folder / "d", folder / "r").__aenter__()

    async def content() -> AsyncIterator[bytes]:
        yield archive.read_bytes()

    async for _ in engine.images.load(content()):
        pass
    return engine


def main() -> None:
    folder, archive = Path(sys.argv[1]), Path(sys.argv[2])
    furnish(folder)
    loop = asyncio.new_event_loop()
    engine = loop.run_until_complete(_open(folder, archive))
    serve({"start_true": Warm(loop, engine).start_true})
    loop.run_until_complete(engine.close())


if __name__ == "__main__":
    main()
