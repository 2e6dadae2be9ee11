"""What a launcher is asked that is no request, or one of another version: it is refused in one line, and the next start finds it there."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moby_tui.engine.protocol.order import Handover, IdMapping, LauncherRequest, Order, RestartPolicy, Taken, UserNamespaceRequest
from moby_tui.engine.runtime.launcher import spawning as launchers
from protocol.messages import JSON, spoiled

_SECONDS = 60.0
_settings = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def launcher() -> Iterator[socket.socket]:
    """The socket of a launcher, which must still answer when the test has ended."""
    asked, pid = launchers.connect()
    with asked:
        yield asked
        everyone = IdMapping(inside=0, outside=0, size=65536)
        request = UserNamespaceRequest(uids=[everyone], gids=[everyone])
        answer, made = _ask(asked, LauncherRequest(userns=request).encode())
        assert (answer["ok"], len(made)) == (True, 2)
        for fd in made:
            os.close(fd)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    # it ends with the socket
    assert os.waitpid(pid, 0)[0] == pid


def _ask(asked: socket.socket, message: bytes, descriptors: list[int] | None = None) -> tuple[Any, list[int]]:
    """The answer to a request, and the descriptors beside it."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(asked, [message], [theirs.fileno()])
        ours.settimeout(_SECONDS)
        assert Taken.decode(ours.recv(4096)).pid > 0
        socket.send_fds(ours, [Handover().encode_line()], descriptors or [])
        line, made, _, _ = socket.recv_fds(ours, 65536, 2)
        while not line.endswith(b"\n"):
            piece = ours.recv(65536)
            assert piece, "the process that took the request has ended without an answer"
            line += piece
    return json.loads(line), made


def _refused(asked: socket.socket, message: bytes, descriptors: list[int] | None = None) -> str:
    answer, _ = _ask(asked, message, descriptors)
    assert (answer["ok"], answer["error"]) == (False, "failed")
    text: str = answer["message"]
    assert text and "\n" not in text
    return text


def _order(folder: Path) -> Order:
    """One of a container that has no bundle, so that it fails where all is read."""
    order = Order.sample()
    for name in ("bundle", "data", "run", "state", "socket", "monitor_lock", "attachments", "execs", "journal", "log"):
        setattr(order.paths, name, str(folder / name))
    order.holdings, order.restart = [], RestartPolicy()
    return order


def test_what_is_no_request_is_refused(launcher: socket.socket, tmp_path: Path) -> None:
    long, looping, torn = tmp_path / "long", tmp_path / "looping", tmp_path / "torn"
    long.write_bytes(LauncherRequest(order=_order(tmp_path)).encode())
    looping.write_bytes(LauncherRequest(file=str(looping)).encode())
    torn.write_bytes(long.read_bytes()[:-1])
    for request, text in (
        (b"hello", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "expected one of order, file and userns"),
        (b'{"userns": {}, "file": "x"}', "expected one of"),
        (b'{"userns": {}, "version": 2}', "a later moby"),
        (b'{"order": {"version": 7}}', "order: version 7 was written by a later moby"),
        (b'{"order": {"id": "x"}}', "order: attributes is missing"),
        (b'{"userns": {"uids": [{"containerID": 0}]}}', "uids: hostID is missing"),
        (b'{"file": "/nowhere/at/all"}', "/nowhere/at/all: no such file"),
        (b'{"file": "a\\u0000b"}', "null"),
        (LauncherRequest(file=str(tmp_path)).encode(), "is a directory"),
        (LauncherRequest(file=str(looping)).encode(), "order is missing"),
        (LauncherRequest(file=str(torn)).encode(), "not JSON"),
        # that of a long one, read; what it names was not handed over
        (LauncherRequest(file=str(long)).encode(), "3 descriptors are named and 0 were received"),
    ):
        assert text in _refused(launcher, request)


def test_an_order_without_what_it_names_is_refused(launcher: socket.socket, tmp_path: Path) -> None:
    order = _order(tmp_path)
    null = os.open("/dev/null", os.O_RDONLY)
    for names, text in (
        (["lock", "root", "configuration"], "config.json: not JSON"),
        (["lock", "keep", "configuration"], "descriptor root is missing"),
        (["lock", "root", "keep"], "descriptor configuration is missing"),
    ):
        order.descriptors = names
        assert text in _refused(launcher, LauncherRequest(order=order).encode(), [null] * 3)
    os.close(null)
    assert not (tmp_path / "run/monitor.err").exists()


def test_no_message_ends_a_launcher(launcher: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    @_settings
    @given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(min_size=1, max_size=200))
    def throw(message: bytes) -> None:
        _refused(launcher, message)

    @_settings
    @given(spoiled({"order": _order(tmp_path).values()}))
    def throw_order(order: object) -> None:
        _refused(launcher, json.dumps(order).encode(), [0, 0, 0])

    throw()
    throw_order()
    assert not (tmp_path / "run/monitor.err").exists()


def test_a_launcher_whose_standby_process_is_killed_over_a_message_makes_another(launcher: socket.socket) -> None:
    for _ in range(2):
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(launcher, [b"{}"], [theirs.fileno()])
            ours.settimeout(_SECONDS)
            os.kill(Taken.decode(ours.recv(4096)).pid, signal.SIGKILL)
            assert ours.recv(1) == b""
