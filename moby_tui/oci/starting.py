"""``start`` and ``run``: the waiting process is let go, and perhaps waited for."""

from __future__ import annotations

import os
import sys

from moby_tui.engine.runtime.birth import hooks
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.errors import MobyError
from moby_tui.oci import entering, log, protection, removal
from moby_tui.oci.creation import CreateOptions, create
from moby_tui.oci.store import Container, Store
from moby_tui.oci.waiting import wait

_REFUSALS = {
    "creating": "cannot start a container that is still being created",
    "running": "cannot start an already running container",
    "paused": "cannot start an already running container",
    "stopped": "cannot start a container that has stopped",
}


def start(store: Store, ident: str) -> None:
    """Raises ``MobyError`` in any state but created, ``StartFailure`` if the program cannot be executed, ``HookFailure``."""
    with store.locked(ident) as container:
        status = container.status()
        if status != "created":
            raise MobyError(_REFUSALS[status])
        config = container.config
        inside = config.hooks.start_container
        if inside:
            protection.begin_anew(sys.argv[2:])
        try:
            entering.run_hooks(container, config, inside)
        except hooks.HookFailure:
            removal.kill(container)
            raise
        try:
            _let_go(container, config.process.args[0])
        except StartFailure:
            # it may be held
            removal.kill(container)
            raise
        container.values["status"] = "running"
        container.save()
        for path in (container.go, container.report):
            os.unlink(path)
        for hook in config.hooks.poststart:
            try:
                hooks.run([hook], "poststart", container.state())
            except hooks.HookFailure as failure:
                log.warn(str(failure))


def _let_go(container: Container, command: str) -> None:
    """The report's end is the good news: it closes with execve."""
    report = os.open(container.report, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        go = os.open(container.go, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.write(go, b"g")
        os.close(go)
        failure = Awaited(report, lambda: check_moving(container.cgroup.path, container.pid)).failure()
    finally:
        os.close(report)
    if failure:
        raise StartFailure.of_report(failure, command)


def run(store: Store, ident: str, asked: CreateOptions, *, detach: bool, keep: bool) -> int:
    """Creates and starts; returns the exit code of a container in the foreground, which is deleted with its end unless ``keep``."""
    asked.relays = not detach and not asked.console_socket
    container, master = create(store, ident, asked)
    try:
        start(store, ident)
    except BaseException:
        removal.delete(store, ident, force=True)
        raise
    if detach:
        return 0
    code = wait(container.pid, master)
    if not keep:
        removal.delete(store, ident, force=True)
    return code
