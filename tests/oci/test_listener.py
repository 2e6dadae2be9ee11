"""Filters that ask: ``SCMP_ACT_NOTIFY`` with a listener, beside runc's on the same bundles."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oci import bundle

#: seccomp_unotify(2): _IOWR('!', 0, struct seccomp_notif) and _IOWR('!', 1, struct seccomp_notif_resp).
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_ANSWER = errno.EXFULL


class Agent:
    """Answers every question with an error of its own; remembers with whose state it was given the listener."""

    def __init__(self, path: Path) -> None:
        self._server = bundle.listening(path)
        self.told: list[dict[str, Any]] = []
        self.asked: list[int] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
            connection.close()
            self.told.append(json.loads(data))
            thread = threading.Thread(target=self._answer, args=(descriptors[0],), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _answer(self, listener: int) -> None:
        while True:
            question = bytearray(80)
            try:
                fcntl.ioctl(listener, _RECEIVE, question)
                ident, pid = struct.unpack_from("=QI", question)
                self.asked.append(pid)
                fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", ident, 0, -_ANSWER, 0))
            except OSError:
                break
        os.close(listener)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(20)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path / "agent")
    yield agent
    agent.close()


def asking(tmp_path: Path, *names: str, no_new_privileges: bool, **more: Any) -> Any:
    def change(config: dict[str, Any]) -> None:
        config["process"]["noNewPrivileges"] = no_new_privileges
        config["root"]["readonly"] = False
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": str(tmp_path / "agent"),
            "listenerMetadata": "what for",
            "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}],
        } | more

    return change


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_who_listens_answers(either: bundle.Runtime, agent: Agent, tmp_path: Path, no_new_privileges: bool) -> None:
    change = asking(tmp_path, "mkdir", "mkdirat", no_new_privileges=no_new_privileges)
    folder = bundle.make(tmp_path / "b", change, "sh", "-c", "mkdir /a; echo done; sleep 60")
    created = either("create", "--bundle", str(folder), "oci-ask")
    assert created.returncode == 0, created.stderr
    [told] = agent.told
    state = either.state("oci-ask")
    assert told["pid"] == told["state"]["pid"] == state["pid"] and told["fds"] == ["seccompFd"]
    assert (told["metadata"], told["state"]["id"], told["state"]["status"]) == ("what for", "oci-ask", "creating")
    assert told["state"]["bundle"] == str(folder)
    assert either("start", "oci-ask").returncode == 0
    done = either("exec", "oci-ask", "mkdir", "/b")
    assert done.returncode == 1 and os.strerror(_ANSWER) in done.stderr
    assert len(agent.told) == 2 and agent.told[1]["state"]["status"] == "running"
    assert not (folder / "rootfs/b").exists() and len(agent.asked) >= 1
    assert either("delete", "--force", "oci-ask").returncode == 0


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (["mkdir"], {"listenerPath": ""}, "listenerpath"),
        (["mkdir"], {"defaultAction": "SCMP_ACT_NOTIFY"}, "default action"),
        (["mkdir", "write"], {}, "cannot be used for"),
    ],
)
def test_what_cannot_be_asked(either: bundle.Runtime, tmp_path: Path, names: list[str], more: dict[str, Any], said: str) -> None:
    change = asking(tmp_path, *names, no_new_privileges=True, **more)
    done = either("create", "--bundle", str(bundle.make(tmp_path / "b", change, "true")), "oci-no")
    assert done.returncode == 1
    if either.command[0] != "runc":
        assert said in done.stderr.lower() and done.stderr.count("\n") == 1


def test_nobody_listens(either: bundle.Runtime, tmp_path: Path) -> None:
    change = asking(tmp_path, "mkdir", no_new_privileges=True)
    done = either("create", "--bundle", str(bundle.make(tmp_path / "b", change, "true")), "oci-no")
    assert done.returncode == 1 and str(tmp_path / "agent") in done.stderr
    assert either("list", "-q").stdout == ""
