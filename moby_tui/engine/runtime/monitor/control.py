"""The control socket of a container's monitor: a request is a line of JSON, so is the answer; a stream may follow (light imports)."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress

from moby_tui.engine.kernel import fault, unix_socket
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import freezer
from moby_tui.engine.kernel.loop import READ, Timer
from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.engine.protocol import control as protocol
from moby_tui.engine.protocol.control import Answer
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.runtime.birth.failure import StartFailure, say, write_down
from moby_tui.engine.runtime.monitor import restart
from moby_tui.engine.runtime.monitor.execution import Execution

#: How long the rest of a request that has begun is waited for.
_REQUEST_SECONDS = 1.0
#: Whoever is connected and has not asked yet may be starved of the processor. Others are served meanwhile; after so long it is let go.
_SILENT_SECONDS = 10.0
#: A start waits as long for whoever attached before it, but where that is stopped: so often it is looked.
_LOOK_SECONDS = 1.0
#: The pause before it tries again to accept, when the process is out of descriptors.
_FULL_SECONDS = 0.1
_MAX_REQUEST = 4 * 1024 * 1024

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from moby_tui.engine.runtime.monitor.monitor import Monitor


class Control:
    """Serves requests whenever the monitor's loop runs, from ``open`` to ``close``; call each once."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._loop = monitor.loop
        self._path = monitor.order.paths.socket
        self._listener: socket.socket | None = None
        #: who is connected and has not asked yet
        self._silent: dict[socket.socket, Timer] = {}

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def open(self) -> None:
        """Opens the socket, and connects to the clients that attached before the start. Raises ``OSError``."""
        self._listen()
        fault.point("monitor.listening")
        self._call_back()

    def close(self) -> None:
        if self._listener is not None:
            self._loop.remove(self._listener.fileno())
            self._listener.close()
            _unlink(self._path)
        for connection in tuple(self._silent):
            self._let_go(connection)

    def _listen(self) -> None:
        _unlink(self._path)
        self._listener = unix_socket.listen(self._path)
        self._listener.setblocking(False)
        self._loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def _call_back(self) -> None:
        """Attaches the clients that asked before the start, so that they miss no byte."""
        folder = self._monitor.order.paths.attachments
        try:
            waiting = os.listdir(folder)
        except FileNotFoundError:
            return
        for name in waiting:
            path = f"{folder}/{name}"
            try:
                connection = unix_socket.connect(path, _REQUEST_SECONDS)
            except OSError:
                # the client has gone away
                _unlink(path)
                continue
            _unlink(path)
            try:
                _await_request(connection)
                self._serve(connection)
            except OSError:
                connection.close()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # out of descriptors: the client waits until one is free
            self._loop.watch(self._listener.fileno(), 0, lambda _: None)
            self._loop.call_later(_FULL_SECONDS, self._accept_again)
            return
        self._silent[connection] = self._loop.call_later(_SILENT_SECONDS, lambda: self._let_go(connection))
        self._loop.watch(connection.fileno(), READ, lambda _: self._hear(connection))

    def _let_go(self, connection: socket.socket) -> None:
        self._stop_listening(connection)
        connection.close()

    def _hear(self, connection: socket.socket) -> None:
        self._stop_listening(connection)
        connection.settimeout(_REQUEST_SECONDS)
        try:
            self._serve(connection)
        except OSError:
            connection.close()

    def _stop_listening(self, connection: socket.socket) -> None:
        self._silent.pop(connection).cancel()
        self._loop.remove(connection.fileno())

    def _accept_again(self) -> None:
        """Accepts connections again after a pause, unless the socket was closed meanwhile."""
        if self._listener is not None and self._listener.fileno() >= 0:
            self._loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def _serve(self, connection: socket.socket) -> None:
        """Reads one request and carries it out. Only root can connect: the folder is closed to others. Raises ``OSError``.

        The client may be another version of moby. No request, and no error while carrying it out, ends the container.
        """
        line = _read_line(connection)
        if _has_hung_up(connection):
            # the client has given up, while this process was stopped: do not carry it out
            connection.close()
            return
        try:
            request = protocol.read_request(line)
            if self._is_restarting and not request.WHILE_RESTARTING:
                raise StartFailure("conflict", f"container {self._monitor.order.id} is restarting, try again")
            self._carry_out(connection, request)
        except StartFailure as failure:
            _refuse(connection, failure.kind, failure.message)
        except (MalformedMessage, OSError, ValueError) as error:
            _refuse(connection, "failed", say(error))
        except Exception as error:
            write_down(self._monitor.order.paths.data, error)
            _refuse(connection, "failed", f"{type(error).__name__}: {say(error)}")

    def _carry_out(self, connection: socket.socket, request: protocol.Request) -> None:
        operations: dict[type[protocol.Request], Callable[[socket.socket, Any], None]] = {
            protocol.Attach: self._attach,
            protocol.Execute: self._exec,
            protocol.Resize: self._resize,
            protocol.Signal: self._signal,
            protocol.Freeze: self._freeze,
            protocol.Thaw: self._thaw,
            protocol.ChangePolicy: self._change_policy,
            protocol.Update: self._update,
            protocol.Rename: self._rename,
            protocol.Adopt: self._adopt,
            protocol.Release: self._release,
            protocol.ServeNames: self._serve_names,
        }
        operations[type(request)](connection, request)

    @property
    def _is_restarting(self) -> bool:
        return self._monitor.standing.state.status == "restarting"

    # operations

    def _attach(self, connection: socket.socket, request: protocol.Attach) -> None:
        stdio = self._monitor.run.stdio
        assert stdio is not None
        _tell(connection, Answer())
        stdio.attach(connection, stdin=request.stdin, stdout=request.stdout, stderr=request.stderr, keys=bytes(request.keys))

    def _exec(self, connection: socket.socket, request: protocol.Execute) -> None:
        monitor, run = self._monitor, self._monitor.run
        if run.ended:
            raise StartFailure("failed", "the container has ended")
        if monitor.standing.state.status == "paused":
            # in a paused container the new process would freeze before its report, for which this process would wait
            raise StartFailure("conflict", f"Container {monitor.order.id} is paused, unpause the container before exec")
        record = f"{monitor.order.paths.execs}/{request.id}.state"
        execution = Execution(self._loop, request, record, run.devpts, run.spec, monitor.execution_ended)
        fault.point("exec.asked")
        pid = monitor.run_execution(execution)
        fault.point("exec.started")
        _tell(connection, Answer(pid=pid))
        fault.point("exec.answered")
        if request.detach:
            connection.close()
            execution.serve(None)
        else:
            execution.serve(connection)

    def _resize(self, connection: socket.socket, request: protocol.Resize) -> None:
        ident = request.exec or ""
        executions = self._monitor.executions
        target = executions[ident].stdio if ident in executions else None if ident else self._monitor.run.stdio
        if target is None:
            raise StartFailure("not_found", f"exec {ident} is not running")
        target.resize(request.height, request.width)
        _done(connection)

    def _signal(self, connection: socket.socket, request: protocol.Signal) -> None:
        if request.stop == "again":
            self._monitor.restarts.wanted = self._monitor.run.pidfd >= 0
        elif request.stop:
            self._monitor.standing.state.stopped = request.stop == "hand"
            restart.adopt(self._monitor)
        if self._monitor.run.pidfd >= 0:
            # it may have ended just now
            with suppress(ProcessLookupError):
                self._monitor.run.kill(request.signal)
        _done(connection)

    def _freeze(self, connection: socket.socket, _: protocol.Freeze) -> None:
        """Freezes the processes (cgroups(7)), and stops the health checks. Raises ``OSError``."""
        monitor = self._monitor
        monitor.run.freeze()
        if monitor.health is not None:
            monitor.health.pause()
        monitor.standing.change_status("paused")
        _done(connection)

    def _thaw(self, connection: socket.socket, _: protocol.Thaw) -> None:
        monitor = self._monitor
        monitor.run.thaw()
        monitor.standing.change_status("running")
        if monitor.health is not None:
            monitor.health.resume()
        _done(connection)

    def _change_policy(self, connection: socket.socket, request: protocol.ChangePolicy) -> None:
        self._monitor.restarts.change(request.policy, request.maximum)
        _done(connection)

    def _rename(self, connection: socket.socket, request: protocol.Rename) -> None:
        """Sets the name that later events carry."""
        self._monitor.order.attributes["name"] = request.name
        _done(connection)

    def _update(self, connection: socket.socket, request: protocol.Update) -> None:
        self._monitor.run.update(request.resources)
        _done(connection)

    def _adopt(self, connection: socket.socket, request: protocol.Adopt) -> None:
        """Takes over a holding of the container's network. Its descriptors are sent after the request is granted."""
        if request.name in self._monitor.holdings.names:
            raise StartFailure("conflict", f"holding {request.name} is there already")
        descriptors = _receive_granted(connection, request.count)
        self._monitor.holdings.add(request.name, request.teardown, descriptors, request.forwards)
        fault.point("monitor.holding adopted")
        _done(connection)

    def _serve_names(self, connection: socket.socket, request: protocol.ServeNames) -> None:
        """Takes the sockets for names, when the container is connected to a user-defined network and is in no other.

        They take the place of those that it had when it was in one before: questions are redirected to the newest.
        """
        self._monitor.serve_names(request.names, _receive_granted(connection, request.SOCKETS))
        _done(connection)

    def _release(self, connection: socket.socket, request: protocol.Release) -> None:
        if not self._monitor.holdings.release(request.name):
            raise StartFailure("conflict", f"holding {request.name} is not there")
        fault.point("monitor.holding released")
        _done(connection)


def _await_request(connection: socket.socket) -> None:
    """Raises ``TimeoutError`` if whoever waits at the other end is stopped, or says nothing for ten seconds."""
    waiting = unix_socket.listening_process(connection)
    for _ in range(int(_SILENT_SECONDS / _LOOK_SECONDS)):
        if wait_readable(connection.fileno(), seconds=_LOOK_SECONDS):
            return
        if processes.is_stopped(waiting) or freezer.is_frozen(waiting):
            break
    raise TimeoutError(errno.ETIMEDOUT, "whoever attached before the start has not said how")


def _read_line(connection: socket.socket) -> bytes:
    """Reads one line. Raises ``OSError`` if the connection ends before."""
    data = bytearray()
    while b"\n" not in data:
        # not a byte more: what follows the line belongs to the stream
        piece = connection.recv(65536, socket.MSG_PEEK)
        if not piece or len(data) > _MAX_REQUEST:
            raise OSError(errno.EPROTO, "request cut short")
        end = piece.find(b"\n")
        data += connection.recv(end + 1 if end >= 0 else len(piece))
    return bytes(data)


def _receive_granted(connection: socket.socket, count: int) -> list[int]:
    """Grants a request, and takes the descriptors that then come. Raises ``StartFailure`` if fewer come, or none in time:
    the client keeps them then."""
    _tell(connection, Answer())
    try:
        _, descriptors, _, _ = socket.recv_fds(connection, 1, count)
    except TimeoutError:
        raise StartFailure("late", f"no descriptors came in {_REQUEST_SECONDS:g} s") from None
    if len(descriptors) != count:
        for fd in descriptors:
            os.close(fd)
        raise StartFailure("failed", f"{len(descriptors)} descriptors came, not {count}")
    for fd in descriptors:
        os.set_inheritable(fd, False)
    return descriptors


def _has_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def _tell(connection: socket.socket, answer: Answer) -> None:
    try:
        connection.sendall(answer.encode_line())
    except OSError:
        pass


def _done(connection: socket.socket) -> None:
    _tell(connection, Answer())
    connection.close()


def _refuse(connection: socket.socket, kind: str, message: str) -> None:
    _tell(connection, Answer.refusing(kind, message))
    connection.close()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
