"""Much output through an attached client: every byte arrives and is logged, and nobody's memory grows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from pathlib import Path

import pytest

from api.world import Docker
from moby_tui.engine.engine import Engine

BLOCK = 15 * 1024 * 1024
TIMES = 20
MIB = 1024 * 1024


@pytest.fixture
def block(tmp_path: Path) -> Path:
    """Lines of some thousand characters, as many as make 15 MiB."""
    line = random.Random(1)
    data = b"\n".join(line.randbytes(3000).hex().encode() for _ in range(BLOCK // 6001 + 1))[: BLOCK - 1] + b"\n"
    path = tmp_path / "block"
    path.write_bytes(data)
    return path


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


async def hashed(reader: asyncio.StreamReader) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while data := await reader.read(MIB):
        digest.update(data)
        size += len(data)
    return digest.hexdigest(), size


async def monitor_of(engine: Engine) -> int:
    while not (found := await engine.containers.list()):
        await asyncio.sleep(0.01)
    return int(json.loads(engine.paths.container(found[0].id).state.read_text())["monitor"])


class Watch:
    """The largest that processes have been, beside what they were at first."""

    def __init__(self, *pids: int) -> None:
        self._first = {pid: resident(pid) for pid in pids}
        self.growth = dict.fromkeys(pids, 0)
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            for pid, first in self._first.items():
                try:
                    self.growth[pid] = max(self.growth[pid], resident(pid) - first)
                except (FileNotFoundError, IndexError):
                    continue
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        self._task.cancel()


async def test_300_megabytes_arrive_are_logged_and_grow_nobody(docker: Docker, engine: Engine, block: Path) -> None:
    whole = hashlib.sha256()
    data = block.read_bytes()
    for _ in range(TIMES):
        whole.update(data)
    command = f"read go; i=0; while [ $i -lt {TIMES} ]; do cat /block; i=$((i+1)); done"
    options = [
        "--name",
        "much",
        "-i",
        "--network",
        "none",
        "-v",
        f"{block}:/block",
        "--log-driver",
        "local",
        "--log-opt",
        "max-size=-1",
    ]
    options += ["--log-opt", "compress=false"]
    process = await docker.start("run", *options, "busybox", "sh", "-c", command, stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    async with asyncio.timeout(10):
        monitor = await monitor_of(engine)
    watch = Watch(monitor, os.getpid())
    process.stdin.write(b"go\n")
    assert await hashed(process.stdout) == (whole.hexdigest(), TIMES * BLOCK)
    process.stdin.close()
    assert await process.wait() == 0
    watch.stop()
    assert watch.growth[monitor] < 8 * MIB and watch.growth[os.getpid()] < 16 * MIB
    logs = await docker.start("logs", "much")
    assert logs.stdout is not None
    assert await hashed(logs.stdout) == (whole.hexdigest(), TIMES * BLOCK)
    await logs.wait()


async def test_who_does_not_read_makes_the_container_wait_and_grows_nobody(docker: Docker, engine: Engine) -> None:
    """As with dockerd: an attached client that is a mebibyte behind holds the process up as a full pipe does."""
    process = await docker.start(
        "run", "--name", "much", "--network", "none", "busybox", "dd", "if=/dev/zero", "bs=64k", "count=800"
    )
    async with asyncio.timeout(10):
        monitor = await monitor_of(engine)
    watch = Watch(monitor, os.getpid())
    await asyncio.sleep(1)
    inspected = json.loads((await docker("inspect", "much")).out)
    watch.stop()
    assert inspected[0]["State"]["Running"]
    assert watch.growth[monitor] < 8 * MIB and watch.growth[os.getpid()] < 16 * MIB
    assert process.stdout is not None
    async with asyncio.timeout(10):
        assert (await hashed(process.stdout))[1] == 800 * 65536
    assert await process.wait() == 0


async def test_the_daemon_holds_nothing_of_an_attached_client(docker: Docker, engine: Engine) -> None:
    process = await docker.start(
        "run", "-i", "--name", "much", "--network", "none", "busybox", "cat", stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"hello\n")
    assert await process.stdout.readexactly(6) == b"hello\n"
    async with asyncio.timeout(10):
        monitor = await monitor_of(engine)
    sockets = [link for link in links(monitor) if link.startswith("socket:")]
    process.stdin.close()
    assert await process.stdout.read() == b"" and await process.wait() == 0
    assert sockets and not set(sockets) & set(links(os.getpid()))


def links(pid: int) -> list[str]:
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return found
