"""What a monitor would do for the first time, done ahead: in the launcher, and again in the process that becomes one (light imports)."""

from __future__ import annotations

import gc
import os
import socket
from contextlib import suppress

from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.kernel.process import start_time
from moby_tui.engine.protocol.configuration import read
from moby_tui.engine.protocol.control import Answer
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.protocol.order import Handover, LauncherRequest, Order, Taken
from moby_tui.engine.protocol.standby import BIND, DEVPTS, BindKind, Preparation, Ready, Relieved
from moby_tui.engine.runtime.birth.standby import SAMPLE, Standby, rehearse_plan
from moby_tui.engine.runtime.birth.terminal import mount_devpts
from moby_tui.engine.runtime.monitor.logs.destination import open_log
from moby_tui.engine.runtime.monitor.monitor import Monitor
from moby_tui.engine.runtime.monitor.stdio import Stdio
from moby_tui.engine.runtime.plan.becoming import Streams
from moby_tui.engine.runtime.plan.filesystem.source import Bind
from moby_tui.engine.runtime.plan.filesystem.stage import Stage
from moby_tui.engine.runtime.plan.process import joining

#: So often until CPython has specialized the code.
_WARM_ROUNDS = 8


def warm(*, for_many: bool) -> None:
    """Does, in the launcher, what each monitor would otherwise do for the first time: imports on use, and the interpreter's own.

    CPython specializes code as it runs, in place; done here, the pages stay shared with every monitor. A launcher of one monitor does it
    once, and leaves to the monitor what that rehearses itself: its engine waits for it. What was imported is to be frozen before
    (``gc.freeze``): it is no garbage, and most of what there is.
    """
    rounds = _WARM_ROUNDS if for_many else 1
    try:
        open_cgroup("/moby/warm").exists()
        os.close(mount_devpts())
    except OSError:
        # no control groups, or no devpts: the start will say so
        pass
    for stage in (None, Stage()):
        for _ in range(rounds):
            rehearse_plan(stage)
    for _ in range(rounds):
        # the readers of its fields are made here, once for all monitors
        _read_sample()
        _exchange_sample()
        if for_many:
            rehearse()


def _read_sample() -> Order:
    sample = LauncherRequest.decode(LauncherRequest(order=Order.sample()).encode()).order
    assert sample is not None
    return sample


def _exchange_sample() -> None:
    """What the process made ahead and its monitor write to each other, and read."""
    kind = BindKind(directory=True, over_proc=False)
    Preparation.decode(Preparation(descriptors=[BIND], binds=[kind]).encode())
    Ready.decode(Ready(descriptors=[DEVPTS]).encode())
    Relieved.decode(Relieved(order=True).encode())
    Handover.decode(Handover().encode())
    Taken(pid=1).encode_line()


def rehearse() -> None:
    """Does, in a process that stands by, what it is about to do with an order, on nothing: the pages that it writes to on the way, which
    the kernel must copy first, are its own by the time that the order comes. What it makes is freed, for the real thing to lie there.
    """
    # what cannot be done here, for want of descriptors say, is told by the start itself
    with suppress(OSError):
        _live()
    # all of it is young: what is older is frozen
    gc.collect(0)


def _live() -> None:
    """The first steps of a monitor, with a log that goes nowhere."""
    order = _read_sample()
    monitor = Monitor(order, Descriptors.received(order.descriptors, [-1] * len(order.descriptors)), None)
    run = monitor.run
    spec = read(SAMPLE.encode())
    log = open_log("/dev/null", LogSettings(driver="json-file"), monitor.loop, lambda: None)
    stdio = run.stdio = Stdio(monitor.loop, devpts=-1, tty=False, open_stdin=False, close_stdin_with_peer=False, log=log)
    stdio.give_to(spec.process.user, *joining.id_maps(spec))
    _instruct(run.streams(), run.open_binds(spec))
    monitor.standing.state.encode()
    Answer(pid=start_time(os.getpid())).encode_line()
    stdio.start()
    stdio.finish()
    if log is not None:
        log.close()
    monitor.loop.close()


def _instruct(streams: Streams, binds: list[Bind]) -> None:
    """Sends to no process what a process made ahead is sent."""
    ours, theirs = socket.socketpair()
    with theirs:
        standby = Standby(os.getpid(), ours, -1, open_cgroup("/moby/warm"), -1)
        standby.prepare(streams.standard[0], -1, streams, binds, b"")
    for fd in (standby.mounts, *standby.hand_over()[:1], *(bind.tree for bind in binds)):
        os.close(fd)
