"""What a monitor is asked that is no request, or one of another version: it is refused, and the container lives on."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import unix_socket
from moby_tui.engine.protocol.control import Rename
from moby_tui.engine.runtime.client import monitor as monitor_client
from moby_tui.schema.container import ContainerCreate, HostConfig
from protocol.messages import JSON, REQUESTS

_PROCESS = {"args": ["true"], "user": {"uid": 0, "gid": 0}}
_SECONDS = 20.0


@pytest.fixture
async def control(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> AsyncIterator[Path]:
    """The control socket of a container that sleeps, which must still do so when the test has ended."""
    create = ContainerCreate(image=busybox, cmd=["sleep", "1000"], host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(create)).id
    await engine.containers.start(ident)
    before = (await engine.containers.inspect(ident)).state
    yield _find_socket(roots[1])
    after = (await engine.containers.inspect(ident)).state
    assert (after.status, after.pid) == ("running", before.pid)


def _find_socket(exec_root: Path) -> Path:
    [path] = [path for path in exec_root.glob("containers/*/*") if path.is_socket()]
    return path


def _ask(path: Path, line: bytes) -> Any:
    """The first line of the answer, decoded; None where the monitor hangs up without one."""
    with unix_socket.connect(str(path), _SECONDS) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline()
    return json.loads(answer) if answer else None


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "unknown request"),
        (b'{"op": "explode"}', "unknown request 'explode'"),
        (b'{"op": ["exec"]}', "unknown request"),
        (b'{"op": "freeze", "version": 2}', "a later moby"),
        (b'{"op": "exec"}', "id is missing"),
        (b'{"op": "exec", "id": "../x", "process": {}}', "id: expected a name"),
        (b'{"op": "exec", "id": "x", "process": {}}', "args is missing"),
        (b'{"op": "exec", "id": "x", "process": {"args": ["true"], "user": {"uid": "0"}}}', "user: uid: expected an integer"),
        (b'{"op": "exec", "id": "x", "process": {"args": ["true"], "user": {"uid": -1}}}', "user: expected uid"),
        (b'{"op": "attach", "keys": [256]}', "keys: expected bytes"),
        (b'{"op": "resize"}', "height is missing"),
        (b'{"op": "resize", "height": 70000, "width": 1}', "expected a height"),
        (b'{"op": "signal", "signal": "KILL"}', "signal: expected an integer"),
        (b'{"op": "signal", "signal": 4294967296}', "there is no signal"),
        (b'{"op": "update", "resources": 1}', "resources: expected an object"),
        (b'{"op": "adopt", "name": "x", "teardown": 1, "count": 1}', "teardown: expected a list"),
        (b'{"op": "adopt", "name": "x", "teardown": [{"close": -1}], "count": 1}', "close: expected a position"),
        (b'{"op": "adopt", "name": "x", "teardown": [], "count": 100000}', "count: expected"),
        (b'{"op": "names", "names": {"container": "x", "folder": "y", "program": []}}', "program is empty"),
        (b'{"op": "release"}', "name is missing"),
    ],
)
async def test_what_is_no_request_is_refused(control: Path, request_: bytes, text: str) -> None:
    answer = _ask(control, request_ + b"\n")
    assert answer["ok"] is False
    assert answer["error"] == "failed"
    assert text in answer["message"]


@pytest.mark.parametrize(
    "process",
    [
        {**_PROCESS, "capabilities": 1},
        {**_PROCESS, "rlimits": [{"type": "RLIMIT_NOFILE"}]},
        {**_PROCESS, "cwd": {"x": 1}},
        {**_PROCESS, "env": ["nothing\0"]},
        {**_PROCESS, "oomScoreAdj": "much"},
        {**_PROCESS, "args": ["tr\0ue"]},
        {**_PROCESS, "args": ["tr\ud800ue"]},
    ],
)
async def test_a_process_that_cannot_be_made_ends_no_monitor(control: Path, process: dict[str, object]) -> None:
    request = {"op": "exec", "id": "x", "process": process, "detach": True}
    assert _ask(control, json.dumps(request).encode() + b"\n") is not None


@pytest.mark.parametrize(
    "resources", [{"cpu": 1}, {"cpu": {"quota": "x"}}, {"memory": {"limit": {}}}, {"pids": {}}, {"blockIO": [1]}]
)
async def test_limits_that_are_none_end_no_monitor(control: Path, resources: dict[str, object]) -> None:
    assert _ask(control, json.dumps({"op": "update", "resources": resources}).encode() + b"\n") is not None


@pytest.mark.parametrize("piece", [b"", b'{"op": "freeze"', b"x" * 1000])
async def test_a_request_cut_short_is_hung_up_on(control: Path, piece: bytes) -> None:
    assert _ask(control, piece) is None


async def test_a_request_goes_out_before_the_engine_does_anything_else(control: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor hangs up on who says nothing for a second: an engine that was busy for longer took the container to have ended."""
    connect = asyncio.open_unix_connection

    async def connect_late(*, sock: socket.socket, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # until there is an answer, or it has hung up
        select.select([sock], [], [], _SECONDS)
        return await connect(sock=sock, limit=limit)

    monkeypatch.setattr(asyncio, "open_unix_connection", connect_late)
    await monitor_client.request(control, _SECONDS, Rename(name="other"))


_settings = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def test_no_message_ends_a_monitor(control: Path) -> None:
    @_settings
    @given(REQUESTS | JSON)
    def throw(values: object) -> None:
        answer = _ask(control, json.dumps(values).encode() + b"\n")
        assert isinstance(answer, dict)
        assert answer.keys() <= {"ok", "pid", "error", "message"}

    @_settings
    @given(st.binary(max_size=200))
    def throw_bytes(data: bytes) -> None:
        _ask(control, data)

    throw()
    throw_bytes()
