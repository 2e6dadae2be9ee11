"""Talking to a container's monitor over its socket: one line of JSON each way, then the stream."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from moby_tui.engine.kernel import fault, unix_socket
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.runtime import launcher
from moby_tui.engine.runtime.order import Order
from moby_tui.errors import CommandNotFound, CommandNotInvocable, Conflict, InvalidArgument, MobyError, Unavailable
from moby_tui.schema.container import AttachOptions
from moby_tui.schema.stream import Stream

DEFAULT_DETACH_KEYS = (16, 17)
_ERRORS: dict[str, type[MobyError]] = {"not_found": CommandNotFound, "not_invocable": CommandNotInvocable, "conflict": Conflict}
#: A stream reader holds this much before it stops reading from the socket.
_STREAM_LIMIT = 1024 * 1024
_DISMISS_SECONDS = 1.0
#: A monitor answers in milliseconds. One that is stopped, or starved, is not waited for longer than this.
ANSWER_SECONDS = 10.0
#: One that has another runtime work for it is at most as late as that may be (``external.py``).
RUNTIME_SECONDS = 70.0
_RETRY_SECONDS = 0.02


class Launcher:
    """This engine's launcher. Orders go out one at a time; each answer comes on a socket of its own.

    ``on_news`` is called whenever a monitor that was started here has published something of its container's end.
    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._socket: socket.socket | None = None
        self._on_news = on_news
        self._monitors: set[socket.socket] = set()

    async def start(self, order: Order, path: Path, descriptors: list[int]) -> int:
        """Has a monitor forked for the order; returns the container's pid. Raises what the start failed with."""
        message = json.dumps({"order": order.values()}).encode()
        if len(message) > launcher.MAX_ORDER:
            path.write_bytes(message)
            message = json.dumps({"file": str(path)}).encode()
        fault.point("launcher.order written")
        ours, theirs = socket.socketpair()
        try:
            self._send(message, [theirs.fileno(), *descriptors])
        finally:
            theirs.close()
        fault.point("launcher.order sent")
        try:
            pid = await _answer(ours, order.attributes.get("name", order.id))
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
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                message = json.dumps({"userns": {"uids": uids, "gids": gids}}).encode()
                self._send(message, [theirs.fileno(), *joined])
            data, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 65536, 2)
        for fd in descriptors:
            os.set_inheritable(fd, False)
        if len(descriptors) != 2:
            raise MobyError(json.loads(data)["error"] if data else "the launcher was killed while making a user namespace")
        return descriptors[0], descriptors[1]

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        if self._socket is not None:
            try:
                socket.send_fds(self._socket, [message], descriptors)
                return
            except OSError:
                # the launcher was killed: make another
                self._socket.close()
        self._socket = launcher.connect()
        socket.send_fds(self._socket, [message], descriptors)

    def close(self) -> None:
        """Ends the launcher; the monitors live on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for monitor in self._monitors:
            asyncio.get_running_loop().remove_reader(monitor)
            monitor.close()
        self._monitors.clear()


async def _answer(connection: socket.socket, name: str) -> int:
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    data = b""
    while not data.endswith(b"\n"):
        piece = await loop.sock_recv(connection, 65536)
        if not piece:
            raise MobyError(f"the monitor of container {name} died while starting it; see its monitor.err")
        data += piece
    # a container that has ended already may have been told of behind the answer
    return int(_checked(json.loads(data.partition(b"\n")[0])).get("pid", 0))


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise _ERRORS.get(answer["error"], MobyError)(answer["message"])
    return answer


async def request(path: Path, patience: float, **values: object) -> None:
    """Asks the monitor for something that has no stream.

    Raises ``Conflict`` where there is no monitor, ``Unavailable`` where it does not answer for ``patience`` seconds.
    """
    _, writer = await _open(path, values, patience)
    writer.close()


async def attach(path: Path, options: AttachOptions, patience: float, *, tty: bool) -> Stream:
    """Joins the streams of a running container. Raises as ``request`` does."""
    return MonitorStream(*await _open(path, _attach_request(options), patience), tty=tty)


async def attach_before_start(folder: Path, options: AttachOptions, *, tty: bool) -> Stream:
    """Joins a container that does not run yet: a socket that its monitor will connect to before it lets the process run."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / os.urandom(16).hex()
    request_line = json.dumps(_attach_request(options)).encode() + b"\n"
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.get_running_loop().create_future()

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_line)
        # an answer, or the end: ``dismiss`` hangs up at once, and the stream is then an empty one
        with suppress(ConnectionError):
            await reader.readline()
        if not accepted.done():
            accepted.set_result((reader, writer))

    server = await asyncio.start_unix_server(on_connect, sock=unix_socket.listen(str(path)), limit=_STREAM_LIMIT)
    pending = _PendingConnection(accepted, server, path)
    return MonitorStream(pending, pending, tty=tty)


def dismiss(folder: Path) -> None:
    """Ends the attachments that wait for a start which will not come."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        try:
            unix_socket.connect(str(path), _DISMISS_SECONDS).close()
        except OSError:
            # whoever waited is gone
            pass
        path.unlink(missing_ok=True)


class MonitorStream(Stream):
    """A stream whose other end is a monitor. It stays with who asked for it, once it is used, or is handed over before."""

    _STAYS, _GOES = b"\1", b"\0"
    _settled = False

    async def read_raw(self, size: int = 65536) -> bytes:
        self._stay()
        return await super().read_raw(size)

    def send(self, data: bytes) -> None:
        self._stay()
        super().send(data)

    def close_stdin(self) -> None:
        self._stay()
        super().close_stdin()

    def _stay(self) -> None:
        if not self._settled:
            self._settled = True
            self._writer.write(self._STAYS)

    async def hand_over(self, connection: socket.socket, early: bytes) -> bool:
        if self._settled:
            return False
        writer = await self._writer.writer() if isinstance(self._writer, _PendingConnection) else self._writer
        assert isinstance(writer, asyncio.StreamWriter)
        # asyncio's own sockets send no descriptors
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as ours:
            try:
                socket.send_fds(ours, [self._GOES], [connection.fileno()])
            except OSError:
                # the container has ended without a word for this client
                early = b""
        self._settled = True
        writer.write(early)
        self._writer.close()
        return True


class _PendingConnection:
    """Reader and writer of a connection that the other side has still to make."""

    def __init__(
        self, accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]], server: asyncio.Server, path: Path
    ) -> None:
        self._accepted = accepted
        self._server = server
        self._path = path
        self._early = bytearray()
        self._ended = False
        self._closed = False

    async def read(self, n: int = -1) -> bytes:
        try:
            reader, _ = await asyncio.shield(self._accepted)
        except asyncio.CancelledError:
            if self._closed:
                return b""
            raise
        self._server.close()
        return await reader.read(n)

    def _writer(self) -> asyncio.StreamWriter | None:
        if not self._accepted.done() or self._accepted.cancelled():
            return None
        return self._accepted.result()[1]

    def write(self, data: bytes) -> None:
        writer = self._writer()
        if writer is None:
            if not self._early and not self._accepted.done():
                self._accepted.add_done_callback(lambda _: self._send_early())
            self._early += data
        else:
            writer.write(data)

    def _send_early(self) -> None:
        writer = self._writer()
        if writer is None:
            return
        writer.write(bytes(self._early))
        self._early.clear()
        if self._ended:
            writer.write_eof()

    async def writer(self) -> asyncio.StreamWriter:
        """Once the connection is made."""
        _, writer = await asyncio.shield(self._accepted)
        self._server.close()
        return writer

    async def drain(self) -> None:
        writer = self._writer()
        if writer is not None:
            await writer.drain()
        elif len(self._early) > _STREAM_LIMIT:
            await asyncio.shield(self._accepted)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._ended = True
        writer = self._writer()
        if writer is not None:
            writer.write_eof()
        elif not self._early:
            self._accepted.add_done_callback(lambda _: self._send_early())

    def close(self) -> None:
        self._closed = True
        self._server.close()
        self._path.unlink(missing_ok=True)
        writer = self._writer()
        if writer is not None:
            writer.close()
        else:
            self._accepted.cancel()


async def execute(path: Path, values: dict[str, object], patience: float, *, tty: bool) -> Stream:
    """Starts an exec; its streams. Raises what its start failed with, and as ``request`` does."""
    return MonitorStream(*await _open(path, {"op": "exec", **values}, patience), tty=tty)


async def _open(path: Path, values: dict[str, object], patience: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the request has been granted. What is not answered in time is not carried out later: we have hung up by then."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _connect(path)
            return await _granted(reader, writer, values)
    except TimeoutError as error:
        raise Unavailable(
            f"the monitor of the container has not answered for {patience:g} s: "
            "try again, or end it with the container by moby kill or moby rm -f"
        ) from error


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            connection = unix_socket.connect(str(path), 0.0)
            break
        except BlockingIOError:
            # as many wait already as the kernel lets wait (unix(7))
            await asyncio.sleep(_RETRY_SECONDS)
        except (FileNotFoundError, ConnectionError) as error:
            raise Conflict("the container is not running") from error
    return await asyncio.open_unix_connection(sock=connection, limit=_STREAM_LIMIT)


async def _granted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, values: dict[str, object]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    writer.write(json.dumps(values).encode() + b"\n")
    try:
        line = await reader.readline()
        if not line:
            raise ConnectionResetError
        _checked(json.loads(line))
    except ConnectionError as error:
        writer.close()
        raise Conflict("the container has ended") from error
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _attach_request(options: AttachOptions) -> dict[str, object]:
    return {
        "op": "attach",
        "stdin": options.stdin,
        "stdout": options.stdout,
        "stderr": options.stderr,
        "keys": parse_detach_keys(options.detach_keys),
    }


def parse_detach_keys(text: str) -> list[int]:
    """``ctrl-p,ctrl-q`` as bytes; empty: Docker's default. Raises ``InvalidArgument``."""
    if not text:
        return list(DEFAULT_DETACH_KEYS)
    keys = []
    for key in text.split(","):
        if len(key) == 1:
            keys.append(ord(key))
        elif key.startswith("ctrl-") and len(key) == 6 and ((key[5].isascii() and key[5].isalpha()) or key[5] in "@[\\]^_"):
            keys.append(ord(key[5].upper()) & 0x1F)
        else:
            raise InvalidArgument(f"invalid detach keys ({text}): use letters or ctrl- and one of a-z @ [ \\ ] ^ _")
    return keys


def monitor_is_alive(lock: Path) -> bool:
    """Whether somebody holds the monitor's lock."""
    import fcntl

    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def boot_id() -> str:
    return processes.boot_id()
