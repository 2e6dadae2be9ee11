"""``kill`` and ``delete``: how a container's processes end, and how nothing of it is left."""

from __future__ import annotations

import os
import signal
import time

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.cgroup import freezer
from moby_tui.engine.protocol.configuration import Hooks
from moby_tui.engine.runtime.birth import hooks
from moby_tui.errors import MobyError
from moby_tui.oci import log
from moby_tui.oci.store import Container, Store

_END_SECONDS = 10.0


def parse_signal(text: str) -> int:
    """``SIGTERM``, ``term`` or ``15``. Raises ``MobyError``."""
    if text.isdecimal() and 0 <= int(text) < signal.NSIG:
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    if name.startswith("SIGRTM"):
        base, sign, offset = name.partition("+" if "+" in name else "-")
        known = {"SIGRTMIN": signal.SIGRTMIN, "SIGRTMAX": signal.SIGRTMAX}
        if base in known and (offset or "0").isdecimal():
            return known[base] + int(offset or 0) * (1 if sign == "+" else -1)
    try:
        return int(signal.Signals[name])
    except KeyError:
        raise MobyError(f"unknown signal {text!r}; see signal(7) for their names") from None


def send(container: Container, number: int, *, everybody: bool = False) -> None:
    """Raises ``MobyError`` if it does not run, in the words that containerd looks for."""
    if everybody:
        for pid in container.cgroup.pids():
            _send_one(pid, number)
        return
    if not container.runs():
        raise MobyError("container not running")
    _send_one(container.pid, number)


def _send_one(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def kill(container: Container) -> None:
    """Ends every process of the container, and waits until the first one has."""
    group = container.cgroup
    if group.exists():
        group.kill()
    if container.runs():
        _send_one(container.pid, signal.SIGKILL)
        freezer.let_killed_die(container.pid)
    deadline, pause = time.monotonic() + _END_SECONDS, 0.001
    while container.runs():
        if time.monotonic() > deadline:
            raise MobyError(f"container {container.id} does not end: a process hangs in the kernel")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def remove(container: Container, found: Hooks) -> None:
    """Removes what is left of a container that has ended; a poststop hook that fails is told, and keeps nothing."""
    group = container.cgroup
    if group.exists():
        # without a pid namespace of its own others outlive the first process
        group.kill()
        group.remove()
    state = container.state("stopped")
    trees.remove(container.folder)
    for hook in found.poststop:
        try:
            hooks.run([hook], "poststop", state)
        except hooks.HookFailure as failure:
            log.warn(str(failure))


def delete(store: Store, ident: str, *, force: bool) -> None:
    """Raises ``MobyError`` for a container that runs, unless it is to be killed."""
    try:
        container = store.get(ident)
    except MobyError:
        if force:
            return
        raise
    with store.locked(ident) as container:
        status = container.status()
        if status in ("running", "paused") and not force:
            raise MobyError(f"cannot delete container {ident} that is not stopped: {status}")
        kill(container)
        remove(container, container.config.hooks)
