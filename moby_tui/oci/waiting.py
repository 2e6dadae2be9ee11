"""Waiting in the foreground for a container's process, as ``run`` and ``exec`` do."""

from __future__ import annotations

import os
import signal

from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.oci.console import Relay

#: What a terminal or a shell sends to us and means for the container.
_FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


def wait(pid: int, master: int) -> int:
    """Stands for the process until it has ended: passes signals on, and its terminal. Returns the exit code as a shell gives it."""
    pidfd = os.pidfd_open(pid)
    relay = Relay(master) if master >= 0 else None

    def forward(number: int, frame: object) -> None:
        if number == signal.SIGWINCH and relay is not None:
            relay.resize()
        else:
            signal.pidfd_send_signal(pidfd, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    if relay is not None:
        with relay:
            relay.until_end()
    wait_readable(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(pidfd)
    return 128 - code if code < 0 else code
