"""The warm launcher: a small single-threaded process that forks a monitor for each start.

Forking from a process with threads and an event loop is not safe, and starting an interpreter for each container is slow. So the
launcher is made first, imports only what a start needs, and waits. It ends when its engine does; the monitors live on.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes

#: How the frozen program, which has no ``-m``, is told to be a launcher.
COMMAND = "__launcher__"
#: The longest order that is sent as it is; of a longer one only the file that it is in.
MAX_ORDER = 65536
_MAX_DESCRIPTORS = 250
_PAUSE_SECONDS = 0.02
_TAKEN, _ENGINE_GONE = b"t", b"e"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.kernel.cgroup import Layout

_preforked: socket.socket | None = None


def prefork(*, spare: bool) -> None:
    """Forks the launcher now; ``spare``: after each start it makes ready for another before it is asked.

    Call before any thread or event loop exists and before heavy imports: all it holds, every monitor holds. Does nothing where it was
    done already; where threads exist, or no process can be made just now, ``connect`` starts one by executing the interpreter anew.
    """
    global _preforked
    if _preforked is None and processes.thread_count() == 1:
        try:
            _preforked = _fork(spare)
        except OSError:
            return


def connect() -> socket.socket:
    """The socket of a launcher of this process: the one forked ahead, or a new one."""
    global _preforked
    ours, _preforked = _preforked, None
    if ours is None:
        ours = _spawn()
    return ours


def _fork(spare: bool) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            ours.close()
            serve(theirs, spare=spare)
        finally:
            os._exit(0)
    theirs.close()
    return ours


def _spawn() -> socket.socket:
    import subprocess

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = theirs.fileno()
    how = [sys.executable, COMMAND] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", __name__]
    # no wait for it ever: it ends by itself when our end of the socket closes
    subprocess.Popen([*how, str(fd)], pass_fds=[fd], stdin=subprocess.DEVNULL)
    theirs.close()
    return ours


def main(argument: str) -> None:
    """The launcher as a program of its own, its socket inherited."""
    serve(socket.socket(fileno=int(argument)))


def serve(engine: socket.socket, *, spare: bool = True) -> None:
    """Makes a monitor for each order until the engine is gone; ``spare`` as for ``prefork``."""

    # those that are not used here are there for the processes that are forked
    from moby_tui.engine.runtime import rehearsal, user_namespace  # noqa: F401
    from moby_tui.engine.runtime.standby import look_ahead

    _leave_terminal()
    processes.set_name("moby-launcher")
    rehearsal.warm()
    layout = look_ahead()
    # what was made so far is never collected, so its pages stay shared with every monitor
    gc.collect()
    gc.freeze()
    # nor is a start the time to look for garbage; a monitor that lives on does
    gc.disable()
    while _await_order(engine, layout) and (spare or _is_asked_again(engine)):
        pass


def _await_order(engine: socket.socket, layout: Layout | None) -> bool:
    """Keeps one process standing by, which takes the next order itself and becomes its monitor. False when the engine is gone.

    So the fork, and all that is alike, is done before it is needed, and costs the start nothing.
    """
    import select

    told, tell = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.close(told)
        _stand_by(engine, tell, layout)
    os.close(tell)
    try:
        # nothing comes if it was killed
        if os.read(told, 1) == _ENGINE_GONE:
            return False
        # the start that has just begun needs the processors more than the next one needs its process, unless it waits already
        select.select([engine.fileno(), told], [], [], _PAUSE_SECONDS)
        return True
    finally:
        os.close(told)


def _is_asked_again(engine: socket.socket) -> bool:
    """Waits until the engine has another order; False when it is gone."""
    return bool(engine.recv(1, socket.MSG_PEEK))


def _stand_by(engine: socket.socket, tell: int, layout: Layout | None) -> None:
    """In the new process; never returns."""
    from moby_tui.engine.runtime.rehearsal import rehearse
    from moby_tui.engine.runtime.standby import stand_by

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    processes.set_name("moby-standby")
    standby = stand_by(layout, [engine.fileno(), tell])
    if standby is not None:
        rehearse()
    fault.point("standby.ready")
    data, descriptors, _, _ = socket.recv_fds(engine, MAX_ORDER, _MAX_DESCRIPTORS)
    try:
        os.write(tell, _TAKEN if data else _ENGINE_GONE)
    except OSError:
        # the launcher was killed; the order is carried out all the same
        pass
    fault.point("standby.order taken")
    engine.close()
    if not data:
        if standby is not None:
            standby.dismiss()
        os._exit(0)
    request = json.loads(data)
    if "userns" in request:
        from moby_tui.engine.runtime.user_namespace import serve as serve_user_namespace

        if standby is not None:
            standby.dismiss()
        serve_user_namespace(request["userns"], descriptors)
        os._exit(0)
    _become_monitor(request, descriptors, standby, tell)


def _leave_terminal() -> None:
    """A session of its own: a Ctrl-C meant for the command line ends neither the launcher nor a container."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # the kernel then reaps the monitors that end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _become_monitor(request, descriptors: list[int], standby, tell: int) -> None:  # type: ignore[no-untyped-def]
    """In the new process; never returns. What goes wrong past all expectation is written beside the container's files."""
    from moby_tui.engine.runtime.monitor import run
    from moby_tui.engine.runtime.order import Order

    folder = ""
    try:
        processes.prctl(processes.PR_SET_CHILD_SUBREAPER, 1)
        processes.set_name("moby-monitor")
        fault.point("standby.became monitor")
        for fd in descriptors:
            os.set_inheritable(fd, False)
        if "file" in request:
            with open(request["file"]) as file:
                request = json.load(file)
        order = Order(**request["order"])
        folder = order.run
        fault.point("standby.order read")
        reply, *rest = descriptors
        run(order, rest, reply, tell, standby)
        os._exit(0)
    except BaseException:
        import traceback

        if folder:
            with open(f"{folder}/monitor.err", "w") as file:
                traceback.print_exc(file=file)
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
