"""Many clients that follow the same: each receives all of it, and nothing of them stays."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from api.wire import head, read_head
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

FOLLOWERS = 100
LINES = 200


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _lines(frames: bytes) -> list[str]:
    """What a log without a terminal says: a frame has eight bytes before it, of which the last four are its length."""
    said = b""
    while frames:
        end = 8 + int.from_bytes(frames[4:8], "big")
        said, frames = said + frames[8:end], frames[end:]
    return said.decode().splitlines()


async def _follow(path: Path, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The connection, once the answer has begun."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    # an answer to HTTP/1.0 has no chunks: it ends with the connection
    writer.write(head("GET", target).replace(b"HTTP/1.1", b"HTTP/1.0"))
    status, _, _ = await read_head(reader)
    assert status == 200
    return reader, writer


async def test_a_hundred_followers_of_a_log_and_of_the_events_lose_nothing(
    busybox: str, engine: Engine, socket_path: Path
) -> None:
    script = f"read; for number in $(seq {LINES}); do echo line $number; echo error $number >&2; done"
    asked = ContainerCreate(image=busybox, cmd=["sh", "-c", script], open_stdin=True, host_config=HostConfig(network_mode="none"))
    await engine.containers.create(asked, name="speaks")
    await engine.containers.start("speaks")
    # what is opened for the first, and stays
    _, writer = await _follow(socket_path, "/containers/speaks/logs?stdout=1")
    writer.close()
    before = _descriptors()
    logs = [await _follow(socket_path, "/containers/speaks/logs?follow=1&stdout=1&stderr=1") for _ in range(FOLLOWERS)]
    told = '{"container":["speaks"],"event":["die","destroy"]}'
    events = [await _follow(socket_path, f"/v1.51/events?filters={told}") for _ in range(FOLLOWERS)]
    stream = await asyncio.open_unix_connection(str(socket_path))
    stream[1].write(
        head("POST", "/containers/speaks/attach?stream=1&stdin=1", {"Upgrade": "tcp", "Connection": "Upgrade"}) + b"\n"
    )

    expected = sorted(f"{word} {number}" for number in range(1, LINES + 1) for word in ("line", "error"))
    for reader, writer in logs:
        assert sorted(_lines(await asyncio.wait_for(reader.read(), 60))) == expected
        writer.close()
    await engine.containers.remove("speaks", force=True)
    for reader, writer in events:
        seen = [json.loads(await asyncio.wait_for(reader.readline(), 60))["Action"] for _ in range(2)]
        assert seen == ["die", "destroy"]
        writer.close()
    stream[1].close()
    # of each connection that stays there is one; the engine itself may open some meanwhile
    while _descriptors() > before + FOLLOWERS // 10:
        await asyncio.sleep(0.01)
