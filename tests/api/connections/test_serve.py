"""The server's own life."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from asyncio import constants as asyncio_constants
from pathlib import Path

import pytest

from api.fake_engine import FakeClient
from api.wire import ask, head, read_head
from api.world import Docker, Served
from moby_tui.api.server.call import Peer
from moby_tui.api.server.listen import Listener
from moby_tui.api.server.serve import serve
from moby_tui.errors import Conflict, Forbidden
from moby_tui.version import API_VERSION


async def test_a_signal_ends_streams_and_lets_changes_finish(tmp_path: Path) -> None:
    engine, ready, path = FakeClient(), asyncio.Event(), tmp_path / "s"
    listening: list[Listener] = []

    def note(listeners: list[Listener]) -> None:
        listening.extend(listeners)
        ready.set()

    serving = asyncio.create_task(serve(engine, [f"unix://{path}", "tcp://127.0.0.1:0"], note))
    await asyncio.wait_for(ready.wait(), 5)
    assert listening[0].address == f"unix://{path}" and listening[1].address.startswith("tcp://127.0.0.1:")
    events, events_writer = await asyncio.open_unix_connection(str(path))
    events_writer.write(head("GET", "/events"))
    await read_head(events)
    stop, stop_writer = await asyncio.open_unix_connection(str(path))
    stop_writer.write(head("POST", "/containers/c/stop", {"Content-Length": "0"}))
    await asyncio.wait_for(engine.containers.stopping.wait(), 5)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 10)
    assert (await read_head(stop))[0] == 204
    await asyncio.wait_for(events.read(), 5)
    assert engine.events.open == 0 and not path.exists()
    for writer in (events_writer, stop_writer):
        writer.close()


async def test_an_end_while_connections_wait_for_descriptors_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def refuse(listening: socket.socket) -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    ready = asyncio.Event()
    serving = asyncio.create_task(serve(FakeClient(), [f"unix://{tmp_path}/s"], lambda _: ready.set()))
    await asyncio.wait_for(ready.wait(), 5)
    monkeypatch.setattr(asyncio_constants, "ACCEPT_RETRY_DELAY", 0.1)
    monkeypatch.setattr(socket.socket, "accept", refuse)
    _, writer = await asyncio.open_unix_connection(f"{tmp_path}/s")
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 5)
    await asyncio.sleep(0.2)
    assert [record.getMessage() for record in caplog.records] == [
        "connections wait to be accepted: too many open files; raise ulimit -n"
    ]
    assert 0 < tries < 100
    writer.close()


async def test_a_host_that_cannot_be_served_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Conflict):
        await serve(FakeClient(), [f"unix://{tmp_path}/s", f"unix://{tmp_path}/file"])
    assert not (tmp_path / "s").exists()


async def test_the_kernel_says_who_calls(served: Served) -> None:
    seen: list[Peer] = []

    def authorize(peer: Peer) -> None:
        seen.append(peer)
        raise Forbidden("you may not use this engine")

    served.app._authorize = authorize
    answer = await ask(served.path, "GET", "/info")
    assert (answer.status, answer.message) == (403, "you may not use this engine")
    assert seen == [Peer(os.getpid(), os.getuid(), os.getgid())]


async def test_the_docker_cli_finds_its_version(served: Served, tmp_path: Path) -> None:
    docker = Docker(served.path, tmp_path)
    assert (await docker("version", "--format", "{{.Server.APIVersion}}")).out == f"{API_VERSION}\n"
    assert "Name: fake-host" in (await docker("info")).out
    assert (await docker("ps", "--format", "{{.Names}}")).out == "c\n"
