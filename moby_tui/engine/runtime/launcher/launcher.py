"""The warm launcher: a small single-threaded process that forks a monitor for each start.

Starting an interpreter for each container is slow. So the launcher is started first, from files that no container can write to
(``host_program.py``), imports only what a start needs, and waits. It ends when its engine does; the monitors live on.
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import socket
import sys
import time

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.engine.protocol.control import Answer
from moby_tui.engine.protocol.message import MalformedMessage, Message
from moby_tui.engine.protocol.order import MAX_DESCRIPTORS, MAX_ORDER, Handover, LauncherRequest, Order, Taken

#: That of containerd's shim, whose container ends with it too. Where the kernel refuses it stays our engine's.
_OOM_SCORE = -998
_PAUSE_SECONDS = 0.02
#: As many processes are made at the same time at most: more of them would wait for the processors.
_MOST_STANDBYS = len(os.sched_getaffinity(0)) + 1
#: unix(7): the bytes that can be read, of all messages together.
_FIONREAD = 0x541B
#: Of one message that has no other length.
_MOST_NEWS = _HANDOVER = 4096

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from moby_tui.engine.kernel.cgroup import Layout
    from moby_tui.engine.runtime.birth.standby import PreparedStage, Standby


def main(arguments: list[str]) -> None:
    """The launcher's process, its socket inherited."""
    descriptor, spare = arguments
    serve(socket.socket(fileno=int(descriptor)), spare=bool(spare))


def serve(engine: socket.socket, *, spare: bool) -> None:
    """Makes a monitor for each order until the engine is gone; ``spare`` as for ``spawning.prefork``."""
    # what is imported is no garbage: the search for it takes a fifth of the time
    gc.disable()

    # those that are not used here are there for the processes that are forked
    from moby_tui.engine.runtime.birth import user_namespace  # noqa: F401
    from moby_tui.engine.runtime.birth.standby import prepare_stage
    from moby_tui.engine.runtime.launcher import rehearsal
    from moby_tui.engine.runtime.monitor import forwarding  # noqa: F401
    from moby_tui.engine.runtime.monitor import group as monitor_group

    _leave_terminal()
    processes.lower_oom_score(_OOM_SCORE)
    processes.set_name("moby-launcher")
    # what was made so far is never collected, so its pages stay shared with every monitor
    gc.freeze()
    rehearsal.warm(for_many=spare)
    layout = monitor_group.find_layout()
    stage = prepare_stage(layout)
    gc.freeze()
    # nor is a start the time to look for garbage; a monitor that lives on does
    StandbyPool(engine, layout, stage, spare=spare).serve()


class StandbyPool:
    """The processes of one launcher that stand by, each of which takes an order of ``engine`` itself and becomes its monitor.

    So the fork, and all that is alike, is done before it is needed, and costs the start nothing. There is one such process if ``spare``, and
    one for each order that waits, ``_MOST_STANDBYS`` at most: making one takes longer than the rest of a start, and much of that is
    waiting for the kernel.
    """

    def __init__(self, engine: socket.socket, layout: Layout | None, stage: PreparedStage | None, *, spare: bool) -> None:
        self._engine, self._layout, self._stage, self._spare = engine, layout, stage, spare
        #: the pipes on which those that stand by report, and those that start a container
        self._standing_by: set[int] = set()
        self._starting: set[int] = set()
        self._is_abandoned = False
        self._pause_ends = 0.0
        self._byte = bytearray(1)
        self._epoll = select.epoll()
        # by edges: an order that lies there until one of them is ready is no news again
        self._epoll.register(engine, select.EPOLLIN | select.EPOLLET)

    def serve(self) -> None:
        """Returns when the engine is gone, and each process that stood by has noticed."""
        self._fork(is_awaited=False)
        while self._standing_by or not self._is_abandoned:
            for fd, _ in self._epoll.poll(self._patience()):
                if fd != self._engine.fileno():
                    self._receive(fd)
            self._fill()

    def _fork(self, *, is_awaited: bool) -> None:
        from moby_tui.engine.runtime.monitor import group as monitor_group

        reading, tell = os.pipe2(os.O_CLOEXEC)
        launcher = os.getpid()
        if monitor_group.fork(self._layout) == 0:
            self._epoll.close()
            for fd in (reading, *self._standing_by, *self._starting):
                os.close(fd)
            _stand_by(self._engine, tell, self._stage, launcher, is_awaited=is_awaited)
        os.close(tell)
        self._standing_by.add(reading)
        self._epoll.register(reading, select.EPOLLIN)

    def _receive(self, report: int) -> None:
        """Reads that a process has taken an order, or notices that it was killed, or that its start is over."""
        from moby_tui.engine.protocol.standby import Relieved

        news = os.read(report, _MOST_NEWS)
        if not news:
            self._forget(report)
        elif Relieved.decode(news, "message from the stand-by process").order:
            self._standing_by.remove(report)
            self._starting.add(report)
            self._pause_ends = time.monotonic() + _PAUSE_SECONDS
        else:
            self._is_abandoned = True
            self._forget(report)

    def _forget(self, report: int) -> None:
        self._standing_by.discard(report)
        self._starting.discard(report)
        # before it is closed: a process that was just forked may still have it open
        self._epoll.unregister(report)
        os.close(report)

    def _fill(self) -> None:
        orders = self._count_orders()
        wanted = min(orders, _MOST_STANDBYS)
        if self._spare and not self._rest():
            wanted = max(wanted, 1)
        while len(self._standing_by) < wanted and not self._is_abandoned:
            self._fork(is_awaited=len(self._standing_by) < orders)

    def _rest(self) -> float:
        """Seconds until the next process is made ahead of its order: the start that has just begun needs the processors more."""
        return max(0.0, self._pause_ends - time.monotonic()) if self._starting else 0.0

    def _patience(self) -> float:
        """Seconds until there is something to do without any news; -1 if there will be nothing."""
        return self._rest() if self._spare and not self._standing_by and not self._is_abandoned else -1.0

    def _count_orders(self) -> int:
        """The number of orders that wait, by their size, which is much the same for all of them."""
        try:
            # the size of the whole message, of which one byte is copied
            first = self._engine.recv_into(self._byte, 1, socket.MSG_PEEK | socket.MSG_TRUNC | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:
            first = 0
        if not first:
            self._is_abandoned = True
            return 0
        waiting = int.from_bytes(fcntl.ioctl(self._engine, _FIONREAD, bytes(4)), sys.byteorder)
        return max(1, -(-waiting // first))


def _stand_by(engine: socket.socket, tell: int, stage: PreparedStage | None, launcher: int, *, is_awaited: bool) -> None:
    """In the new process; never returns. Until it takes an order it ends with its launcher, which an engine kills if it does not answer."""
    from moby_tui.engine.protocol.standby import Relieved
    from moby_tui.engine.runtime.birth.standby import stand_by
    from moby_tui.engine.runtime.launcher.rehearsal import rehearse

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    processes.prctl(processes.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(0)
    os.setsid()
    processes.set_name("moby-standby")
    standby = stand_by(stage, [engine.fileno(), tell], is_awaited=is_awaited)
    # an order that waits already is not kept waiting for that
    if standby is not None and not wait_readable(engine.fileno(), seconds=0):
        rehearse()
    fault.point("standby.ready")
    data, descriptors, _, _ = socket.recv_fds(engine, MAX_ORDER, 1)
    processes.prctl(processes.PR_SET_PDEATHSIG, 0)
    # the engine hears it first: it gives the descriptors while the order is read
    taken = bool(descriptors) and _say(descriptors[0], Taken(pid=os.getpid()))
    # the launcher may have been killed; the order is carried out all the same
    _say(tell, Relieved(order=bool(data)))
    fault.point("standby.order taken")
    engine.close()
    if not taken:
        _leave(standby)
    try:
        request = LauncherRequest.decode(data, "request to the launcher")
    except MalformedMessage as error:
        _refuse(descriptors[0], error)
        _leave(standby)
    if request.userns is not None:
        from moby_tui.engine.runtime.birth.user_namespace import serve as serve_user_namespace

        joined = _take_descriptors(descriptors[0])
        if joined is not None:
            serve_user_namespace(request.userns, [*descriptors, *joined])
        _leave(standby)
    _become_monitor(request, descriptors[0], standby, tell)


def _take_descriptors(reply: int) -> list[int] | None:
    """What the engine gives once it has heard that its order was taken; None if it no longer waits: nothing is to be done then."""
    descriptors: list[int] = []
    follows = True
    with socket.socket(fileno=os.dup(reply)) as connection:
        while follows:
            try:
                data, some, _, _ = socket.recv_fds(connection, _HANDOVER, MAX_DESCRIPTORS)
                descriptors += some
                follows = Handover.decode(data, "message beside descriptors").more
            except (ConnectionError, MalformedMessage):
                return None
    for fd in descriptors:
        os.set_inheritable(fd, False)
    return descriptors


def _refuse(reply: int, error: Exception) -> None:
    """One line says what is wrong with a request. What the engine has handed over for it is closed when this process ends."""
    from moby_tui.engine.runtime.birth.failure import say

    if _take_descriptors(reply) is not None:
        _say(reply, Answer.refusing("failed", say(error)))


def _say(fd: int, message: Message) -> bool:
    """False if nobody is there to read it."""
    try:
        os.write(fd, message.encode_line())
    except OSError:
        return False
    return True


def _leave(standby: Standby | None) -> NoReturn:
    """Ends this process, which has become no monitor."""
    from moby_tui.engine.runtime.monitor import group as monitor_group

    if standby is not None:
        standby.dismiss()
    monitor_group.leave()
    os._exit(0)


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


def _become_monitor(request: LauncherRequest, reply: int, standby: Standby | None, tell: int) -> None:
    """In the new process; never returns. What goes wrong past all expectation is written beside the container's files."""
    from moby_tui.engine.runtime.monitor import group as monitor_group
    from moby_tui.engine.runtime.monitor.monitor import run

    folder = ""
    try:
        processes.prctl(processes.PR_SET_CHILD_SUBREAPER, 1)
        processes.set_name("moby-monitor")
        fault.point("standby.became monitor")
        os.set_inheritable(reply, False)
        try:
            order = _read_order(request)
        except (OSError, ValueError) as error:
            _refuse(reply, error)
            _leave(standby)
        folder = order.paths.run
        fault.point("standby.order read")
        descriptors = _take_descriptors(reply)
        if descriptors is None:
            _leave(standby)
            return
        run(order, descriptors, reply, tell, standby)
        monitor_group.leave()
        os._exit(0)
    except BaseException:
        import traceback

        if folder:
            with open(f"{folder}/monitor.err", "w") as file:
                traceback.print_exc(file=file)
        os._exit(1)


def _read_order(request: LauncherRequest) -> Order:
    """Raises ``MalformedMessage``, and ``OSError`` or ``ValueError`` if the file of a long one cannot be read."""
    if request.file is not None:
        with open(request.file, "rb") as file:
            request = LauncherRequest.decode(file.read(), "order")
    if request.order is None:
        raise MalformedMessage("order: order is missing")
    return request.order
