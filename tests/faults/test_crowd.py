"""Many engines at once: several processes on one root, two roots in one process, daemons that come and go under their clients."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

import leaks
from moby_tui.api.client.address import parse_host
from moby_tui.api.client.http import HttpClient
from moby_tui.engine.engine import Engine
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import Unavailable
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, LogOptions
from moby_tui.schema.event import Event

MEMBERS, STEPS = 4, 30


@pytest.mark.parametrize("seed", [1, 2])
async def test_engines_that_do_the_same_to_the_same(roots: tuple[Path, Path], busybox: str, seed: int) -> None:
    """Nothing comes out but a refusal in one line; at the end every container is what it is said to be, and can be removed."""
    command = [sys.executable, str(Path(__file__).with_name("crowd_member.py")), *map(str, roots)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    members = [
        await asyncio.create_subprocess_exec(
            *command, str(seed * MEMBERS + number), str(STEPS), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in range(MEMBERS)
    ]
    done: Counter[str] = Counter()
    wrong = []
    for out, err in await asyncio.gather(*(member.communicate() for member in members)):
        assert err == b"", err.decode()
        told = json.loads(out)
        done.update(told["done"])
        wrong += told["wrong"]
    assert not wrong, "\n".join(wrong)
    assert all(done[action] for action in ("create", "start", "remove", "rename", "look")), done
    async with Engine.open(*roots) as engine:
        rows = await engine.containers.list(all=True)
        assert len({row.names[0] for row in rows}) == len(rows) <= 3
        for row in rows:
            state = (await engine.containers.inspect(row.id)).state
            assert state.running == (state.pid != 0 and os.path.exists(f"/proc/{state.pid}/exe"))
            await engine.containers.remove(row.id, force=True)
    assert leaks.settled(lambda: _left(Paths(*roots))) == []


def _left(paths: Paths) -> list[str]:
    folders = (
        paths.data_root / "containers",
        paths.exec_root / "containers",
        paths.networks / "sandboxes",
        paths.networks / "bridge" / "leases",
    )
    return [str(path) for folder in folders if folder.exists() for path in folder.iterdir() if path.name != ".lock"]


async def test_two_roots_in_one_process(roots: tuple[Path, Path], busybox_archive: Path) -> None:
    """At work at the same time, with the same names and networks of their own; the one goes on when the other is closed."""

    async def content() -> AsyncIterator[bytes]:
        yield busybox_archive.read_bytes()

    async def life(engine: Engine, times: int) -> None:
        for _ in range(times):
            host = HostConfig(network_mode="bridge", auto_remove=True)
            asked = ContainerCreate(image="busybox", cmd=["true"], host_config=host)
            ident = (await engine.containers.create(asked, name="same")).id
            waiter = await engine.containers.wait(ident, condition="removed")
            await engine.containers.start("same")
            assert (await asyncio.wait_for(waiter.result(), 60)).status_code == 0

    for name in ("a", "b"):
        roots[0].joinpath(name).mkdir(parents=True)
    second = Engine.open(roots[0] / "b", roots[1] / "b")
    async with Engine.open(roots[0] / "a", roots[1] / "a") as first:
        async with second:
            for engine in (first, second):
                async for _ in engine.images.load(content()):
                    pass
            await asyncio.gather(life(first, 6), life(second, 6))
            asked = ContainerCreate(image="busybox", cmd=["sleep", "600"], host_config=HostConfig(network_mode="bridge"))
            left = (await second.containers.create(asked, name="left")).id
            await second.containers.start(left)
            assert await first.containers.list(all=True) == []
        await life(first, 2)
    async with Engine.open(roots[0] / "b", roots[1] / "b") as again:
        assert (await again.containers.inspect("left")).state.running
        await again.containers.remove("left", force=True)
    leaks._remove_network(roots[0])


# -- the daemon ends under its clients ---------------------------------------------------------------------------------


def _daemon(roots: tuple[Path, Path], path: Path) -> subprocess.Popen[str]:
    where = ("--data-root", str(roots[0]), "--exec-root", str(roots[1]), "-H", f"unix://{path}", "-G", "root")
    daemon = subprocess.Popen([sys.executable, "-m", "moby_tui", "daemon", *where], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None and daemon.stdout.readline().startswith("API listening")
    return daemon


def _end(daemon: subprocess.Popen[str], number: int) -> None:
    daemon.send_signal(number)
    daemon.wait(60)
    assert daemon.stdout is not None
    daemon.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
async def test_daemon_that_begins_again_under_its_clients(roots: tuple[Path, Path], busybox: str, how: int) -> None:
    """Who is attached stays so, and misses nothing; who follows a log or events is cut off, and finds what was missed with the next."""
    path = roots[1].parent / "s"
    address = parse_host(f"unix://{path}")
    daemon = _daemon(roots, path)
    script = "i=0; while read word; do echo $word; done; exit 7"
    try:
        client = HttpClient(address)
        await client.__aenter__()
        asked = ContainerCreate(
            image="busybox",
            cmd=["sh", "-c", script],
            open_stdin=True,
            stdin_once=True,
            host_config=HostConfig(network_mode="none"),
        )
        ident = (await client.containers.create(asked)).id
        stream = await client.containers.attach(ident, AttachOptions(stdin=True))
        await client.containers.start(ident)
        output = stream.output()
        await stream.write(b"before\n")
        assert (await asyncio.wait_for(anext(output), 30))[1] == b"before\n"
        logs = client.containers.logs(ident, LogOptions(follow=True))
        assert (await asyncio.wait_for(anext(logs), 30))[1] == b"before\n"
        events = client.events.stream(since=1.0)
        assert (await asyncio.wait_for(anext(events), 30)).action == "load"
        waiting = asyncio.ensure_future((await client.containers.wait(ident)).result())
        following = asyncio.gather(_rest(logs), _rest(events), return_exceptions=True)
        _end(daemon, how)
        for ended in await asyncio.wait_for(following, 30):
            assert not isinstance(ended, BaseException) or "\n" not in str(ended), ended
        with pytest.raises(Exception) as broken:
            await asyncio.wait_for(waiting, 30)
        assert "\n" not in str(broken.value)
        with pytest.raises(Unavailable) as refused:
            await client.containers.list()
        assert "\n" not in str(refused.value)
        # between two daemons
        await stream.write(b"meanwhile\n")
        assert (await asyncio.wait_for(anext(output), 30))[1] == b"meanwhile\n"
        daemon = _daemon(roots, path)
        async with HttpClient(address) as again:
            assert (await again.containers.inspect(ident)).state.running
            waiter = await again.containers.wait(ident)
            await stream.write(b"after\n")
            assert (await asyncio.wait_for(anext(output), 30))[1] == b"after\n"
            stream.close_stdin()
            assert (await asyncio.wait_for(waiter.result(), 30)).status_code == 7
            assert [line async for _, line in again.containers.logs(ident, LogOptions())] == [
                b"before\n",
                b"meanwhile\n",
                b"after\n",
            ]
            async with aclosing(
                cast(AsyncGenerator[Event], again.events.stream(since=1.0, filters={"container": [ident]}))
            ) as told:
                assert [(await anext(told)).action for _ in range(4)] == ["create", "attach", "start", "die"]
            await again.containers.remove(ident)
        stream.close()
        await client.close()
    finally:
        _end(daemon, signal.SIGTERM)


async def _rest(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items if not isinstance(item, Event)]
