"""Hostile containers: an image made as an attacker would make it, and programs that try to get out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.container import LogOptions
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.stream import STDERR
from runtime.box import Box, Finished

#: What a Python program needs of this machine, to make system calls that no applet makes.
_PYTHON = [f"{folder}:{folder}:ro" for folder in ("/usr", "/lib", "/lib64", sys.base_prefix) if Path(folder).is_dir()]
INTERPRETER = os.path.realpath(sys.executable)


@dataclass
class Executed:
    """How an exec ended; ``refused`` is what it could not be started with."""

    code: int
    out: str
    err: str
    refused: str = ""


class Attacker(Box):
    """A box whose image can be poisoned: ``image`` is called with the container's upper layer before each start."""

    def __init__(self, engine: Engine, image: str, data_root: Path) -> None:
        super().__init__(engine, image)
        self._containers = data_root / "containers"

    def layer(self, ident: str) -> Path:
        """The folder on the host that holds what differs from the image: what is put here is as if the image had it."""
        folder = self._containers / ident / "upper"
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    async def poisoned(self, poison: Callable[[Path], None], *command: str, **options: Any) -> Finished:
        """Runs a command in a container whose image has been poisoned."""
        poisoning, creating = poison, super().create

        async def create(*words: str, **more: Any) -> str:
            ident = await creating(*words, **more)
            poisoning(self.layer(ident))
            return ident

        self.create = create  # type: ignore[method-assign]
        try:
            return await self.run(*command, **options)
        finally:
            del self.create

    async def refusal(self, poison: Callable[[Path], None], *command: str, **options: Any) -> str:
        """The words with which a poisoned container's start is refused; empty where it was not."""
        ident = await self.create(*command, **options)
        poison(self.layer(ident))
        try:
            await self.engine.containers.start(ident)
        except MobyError as error:
            return str(error)
        return ""

    async def python(self, code: str, **options: Any) -> Finished:
        """Runs a Python program in a container, as its root."""
        return await self.run(INTERPRETER, "-ISc", code, **with_python(options))

    async def watcher(self, *command: str, **options: Any) -> str:
        """Starts a container whose program looks at others, and waits until it says that it is ready; returns its id."""
        ident = await self.start(*command, **options)
        async with asyncio.timeout(30):
            while "ready" not in await self.told(ident):
                await asyncio.sleep(0.05)
        return ident

    async def told(self, ident: str) -> str:
        """What a container has said so far."""
        return "".join([line.decode() async for _, line in self.engine.containers.logs(ident, LogOptions())])

    async def exec(self, ident: str, *command: str, **config: Any) -> Executed:
        """Runs a command in a running container, to its end."""
        execution = await self.engine.containers.exec_create(
            ident, ExecCreate(cmd=list(command), attach_stdout=True, attach_stderr=True, **config)
        )
        try:
            stream = await self.engine.containers.exec_start(execution, ExecStart())
        except MobyError as error:
            return Executed(-1, "", "", str(error))
        assert stream is not None
        parts: dict[int, bytearray] = {1: bytearray(), STDERR: bytearray()}
        async for number, data in stream.output():
            parts[number] += data
        stream.close()
        code = (await self.engine.containers.exec_inspect(execution)).exit_code
        return Executed(-1 if code is None else code, parts[1].decode(), parts[STDERR].decode())


def with_python(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a container, with what Python programs need."""
    host = dict(options.get("host") or {})
    return {**options, "host": {**host, "binds": [*_PYTHON, *host.get("binds", [])]}}


def nothing(layer: Path) -> None:
    """No poison."""
