"""The seccomp listener: what a filter asks is answered by whoever listens on ``listenerPath`` (config-linux.md, "Seccomp").

It is sent there with the state of the process ("The Container Process State"), before the process becomes the program.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from moby_tui.engine.protocol.configuration import Linux, Seccomp
from moby_tui.engine.runtime.birth.awaiting import Awaited
from moby_tui.errors import MobyError
from moby_tui.oci.store import VERSION

_NOTIFY = "SCMP_ACT_NOTIFY"
#: With these the listener leaves the container, and its failure is told: there is nobody to answer for them yet.
_NEEDED = ("sendmsg", "write")


def check(seccomp: Seccomp) -> None:
    """Raises ``MobyError`` for a filter that asks nobody, or asks too early."""
    rules = [rule for rule in seccomp.syscalls if rule.action == _NOTIFY]
    if seccomp.default_action == _NOTIFY:
        raise MobyError("SCMP_ACT_NOTIFY cannot be the default action: name the calls to ask about")
    if not rules:
        return
    if not seccomp.listener_path:
        raise MobyError("SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath: the socket of who answers")
    for rule in rules:
        if names := set(_NEEDED) & set(rule.names):
            raise MobyError(f"SCMP_ACT_NOTIFY cannot be used for {sorted(names)[0]}: the listener is handed over with it")


class Listener:
    """``give`` is for the process that is made; ``send`` waits until it has loaded its filter, and passes the listener on."""

    def __init__(self, seccomp: Seccomp) -> None:
        self._path = seccomp.listener_path
        self._metadata = seccomp.listener_metadata
        self._take, self._give = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.give = self._give.fileno()

    @classmethod
    def of(cls, linux: Linux) -> Listener | None:
        """None if the filter asks nobody."""
        seccomp = Seccomp.from_values(linux.seccomp or {})
        return cls(seccomp) if any(rule.action == _NOTIFY for rule in seccomp.syscalls) else None

    def child_is_made(self) -> None:
        self._give.close()

    def send(self, awaited: Awaited, pid: int, state: dict[str, Any]) -> None:
        """Raises ``MobyError``, and what ``awaited`` raises if the process does not get there.

        A process that has failed before its filter was loaded has sent nothing, and tells why elsewhere.
        """
        awaited.wait(self._take.fileno())
        _, descriptors, _, _ = socket.recv_fds(self._take, 1, 1)
        self._take.close()
        if not descriptors:
            return
        state_message: dict[str, Any] = {"ociVersion": VERSION, "fds": ["seccompFd"], "pid": pid, "state": state}
        if self._metadata:
            state_message["metadata"] = self._metadata
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(self._path)
                socket.send_fds(connection, [json.dumps(state_message).encode()], descriptors)
        except OSError as error:
            raise MobyError(f"cannot hand the seccomp listener to {self._path}: {(error.strerror or '').lower()}") from error
        finally:
            os.close(descriptors[0])
