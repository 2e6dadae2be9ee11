"""Commands in running containers, for tests."""

from __future__ import annotations

from typing import Any

from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box


async def execute(box: Box, ident: str, *command: str, **config: Any) -> str:
    """What a command in a running container writes, to either stream."""
    asked = ExecCreate(cmd=list(command), attach_stdout=True, attach_stderr=True, **config)
    stream = await box.engine.containers.exec_start(await box.engine.containers.exec_create(ident, asked), ExecStart())
    assert stream is not None
    out = bytearray()
    async for _, data in stream.output():
        out += data
    stream.close()
    return out.decode()
