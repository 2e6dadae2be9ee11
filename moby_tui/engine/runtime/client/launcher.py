"""An engine's end of its launcher: orders go out, the containers' pids come back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.order import (
    MAX_DESCRIPTORS,
    MAX_ORDER,
    Handover,
    LauncherRequest,
    Order,
    Taken,
    UserNamespaceRequest,
)
from moby_tui.engine.runtime.client.monitor import read_answer
from moby_tui.engine.runtime.launcher import spawning
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import MobyError, Unavailable

#: An order is given to one launcher after another as long as none takes it: to so many in all,
_MOST_LAUNCHERS = 20
#: of which so many may have let the time for an answer pass. One that was killed costs no time.
_MOST_SILENT = 3
#: How long a monitor that is killed has to end.
_END_SECONDS = 2.0
#: A launcher, or the process that stands by, answers in milliseconds. One that is stopped, or starved, is not waited for longer than this.
ANSWER_SECONDS = 10.0


class MonitorKilled(MobyError):
    """The monitor of a container was killed while it started it."""


class Launcher:
    """This engine's launcher. Orders go out one at a time; each answer comes on a socket of its own.

    An order goes in two steps, so that what is not answered in time is not carried out later: the launcher's process takes the
    order and says its pid; then it is given the descriptors, if the order still stands. A launcher of which no process takes an
    order is killed, and the order given to another one.

    ``on_news`` is called whenever a monitor that was started here has published something of its container's end.
    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._socket: socket.socket | None = None
        self._process = self._pid = -1
        self._on_news = on_news
        self._monitors: set[socket.socket] = set()

    async def start(self, order: Order, path: Path, descriptors: Descriptors) -> int:
        """Has a monitor forked for the order; returns the container's pid.

        Raises what the start failed with, ``MonitorKilled``, and ``Unavailable`` if no launcher answers, or none can.
        """
        order.descriptors = descriptors.names
        message = LauncherRequest(order=order).encode()
        if len(message) > MAX_ORDER:
            path.write_bytes(message)
            message = LauncherRequest(file=str(path)).encode()
        fault.point("launcher.order written")
        ours, monitor = await self._give(message, descriptors.numbers)
        fault.point("launcher.order sent")
        try:
            pid = await _answer(ours, monitor, order.attributes.get("name", order.id))
        except BaseException:
            ours.close()
            raise
        self._listen(ours)
        return pid

    def _listen(self, monitor: socket.socket) -> None:
        """The journal tells everybody what happened; this tells us at once that it is worth a look."""
        loop = asyncio.get_running_loop()
        self._monitors.add(monitor)

        def news() -> None:
            try:
                data = monitor.recv(64)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                loop.remove_reader(monitor)
                self._monitors.discard(monitor)
                monitor.close()
            self._on_news()

        loop.add_reader(monitor, news)
        # the end of a short one may have come with the answer
        self._on_news()

    async def make_user_namespace(self, uids: IdMap, gids: IdMap, *joined: int) -> tuple[int, int]:
        """Descriptors of a new user namespace with these maps, or of the one that is given, and of a network namespace in it."""
        request = UserNamespaceRequest.from_values({"uids": uids, "gids": gids})
        message = LauncherRequest(userns=request).encode()
        ours, _ = await self._give(message, list(joined))
        with ours:
            ours.settimeout(ANSWER_SECONDS)
            answers: list[tuple[bytes, list[int]]] = []
            try:
                await in_thread(lambda: answers.append(socket.recv_fds(ours, 65536, 2)[:2]))
            except asyncio.CancelledError:
                for fd in (fd for _, descriptors in answers for fd in descriptors):
                    os.close(fd)
                raise
            except TimeoutError as error:
                raise Unavailable(_silent("the process that makes a user namespace")) from error
        [(data, descriptors)] = answers
        for fd in descriptors:
            os.set_inheritable(fd, False)
        if len(descriptors) != 2:
            if data:
                read_answer(data)
            raise MobyError("the launcher was killed while making a user namespace")
        return descriptors[0], descriptors[1]

    async def _give(self, message: bytes, descriptors: list[int]) -> tuple[socket.socket, int]:
        """The socket on which the answer comes, and the pid of the process that has taken the order. Raises ``Unavailable``."""
        silent = 0
        for _ in range(_MOST_LAUNCHERS):
            connection = self._connected()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with theirs:
                sent = _offer(connection, message, theirs)
            taken = await _taken_by(ours) if sent else 0
            if taken is None:
                silent += 1
            elif taken:
                with suppress(ConnectionError):
                    # what has died since is seen when its answer is read
                    _send_descriptors(ours, descriptors)
                return ours, taken
            ours.close()
            if self._socket is connection:
                self._end()
            if taken is None:
                _check_group()
            if silent == _MOST_SILENT:
                break
        raise Unavailable(
            _silent("the launcher") if silent else f"{_MOST_LAUNCHERS} launchers were killed one after another; try again"
        )

    def _connected(self) -> socket.socket:
        """The launcher's socket. The launcher may have been killed by now, also one that was started ahead and is new to us."""
        if self._socket is None:
            self._socket, self._pid = spawning.connect()
            with suppress(ProcessLookupError):
                self._process = os.pidfd_open(self._pid)
        return self._socket

    def _end(self) -> None:
        """Kills the launcher. The process that stands by ends with it, unless it has taken an order."""
        if self._process >= 0:
            from moby_tui.engine.kernel.cgroup import freezer

            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
                freezer.let_killed_die(self._pid)
        self._let_go()

    def _let_go(self) -> None:
        if self._process >= 0:
            os.close(self._process)
            self._process = -1
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Ends the launcher; the monitors live on."""
        self._let_go()
        for monitor in self._monitors:
            asyncio.get_running_loop().remove_reader(monitor)
            monitor.close()
        self._monitors.clear()


def _check_group() -> None:
    """Raises ``Unavailable`` if the control group of the monitors is frozen, so that any other launcher would be as silent."""
    from moby_tui.engine.kernel.cgroup import freezer
    from moby_tui.engine.kernel.cgroup.layout import MONITORS

    if freezer.is_group_frozen(MONITORS):
        raise Unavailable(f"the control group {MONITORS} is frozen, in which containers are started: thaw it and start again")


def _offer(asked: socket.socket, message: bytes, reply: socket.socket) -> bool:
    """Whether the order lies before the launcher: not where it was killed, or has too much unread."""
    try:
        socket.send_fds(asked, [message], [reply.fileno()], socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def _send_descriptors(connection: socket.socket, descriptors: list[int]) -> None:
    """A container with hundreds of published ports has more of them than the kernel takes with one message."""
    while len(descriptors) > MAX_DESCRIPTORS:
        socket.send_fds(connection, [Handover(more=True).encode_line()], descriptors[:MAX_DESCRIPTORS])
        descriptors = descriptors[MAX_DESCRIPTORS:]
    socket.send_fds(connection, [Handover().encode_line()], descriptors)


async def _taken_by(ours: socket.socket) -> int | None:
    """The pid of the process that has taken the order; 0 if whoever was to was killed, None if nobody has in time."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # one small write: it is there whole
            return Taken.decode(await _received(ours, 4096), "message from the stand-by process").pid
    except TimeoutError:
        return None
    except (ConnectionError, MalformedMessage):
        # also where it has ended without a word
        return 0


async def _answer(connection: socket.socket, monitor: int, name: str) -> int:
    data = b""
    while not data.endswith(b"\n"):
        piece = await _receive(connection, monitor)
        if not piece:
            raise MonitorKilled(f"the monitor of container {name} died while starting it; see its monitor.err")
        data += piece
    # a container that has ended already may have been told of behind the answer
    return read_answer(data.partition(b"\n")[0]).pid or 0


async def _receive(connection: socket.socket, monitor: int) -> bytes:
    """What the monitor says. A start may take long; a monitor that is stopped or frozen meanwhile is killed. Raises ``Unavailable``."""
    while True:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await _received(connection, 65536)
        except ConnectionError:
            return b""
        except TimeoutError:
            from moby_tui.engine.kernel.cgroup import freezer

            if processes.is_stopped(monitor) or freezer.is_frozen(monitor):
                break
    with suppress(ProcessLookupError):
        os.kill(monitor, signal.SIGKILL)
        freezer.let_killed_die(monitor)
    try:
        async with asyncio.timeout(_END_SECONDS):
            return await _received(connection, 65536)
    except TimeoutError as error:
        raise Unavailable(_silent("the monitor that starts the container")) from error


async def _received(connection: socket.socket, most: int) -> bytes:
    """As ``loop.sock_recv``, which executes the module ssl (``deferral.py``). For a socket that does not block."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return connection.recv(most)
        except BlockingIOError:
            readable = loop.create_future()
        loop.add_reader(connection, _settle, readable)
        try:
            await readable
        finally:
            loop.remove_reader(connection)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _silent(who: str) -> str:
    seconds = f"{ANSWER_SECONDS:g} s"
    return f"{who} has not answered for {seconds}: it is stopped, frozen, or starved of the processor; try again"
