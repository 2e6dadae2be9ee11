"""Asking a container's monitor for something, over its socket: one line of JSON each way, then the stream if there is one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

from moby_tui.engine.kernel import unix_socket
from moby_tui.engine.protocol.control import Answer, Request, StreamRequest
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.runtime.client.attachment import STREAM_LIMIT, MonitorStream, attach_request
from moby_tui.errors import CommandNotFound, CommandNotInvocable, Conflict, InvalidArgument, MobyError, NotFound, Unavailable
from moby_tui.schema.container import AttachOptions
from moby_tui.schema.stream import Stream

_ERRORS: dict[str, type[MobyError]] = {
    "not_found": CommandNotFound,
    "not_invocable": CommandNotInvocable,
    "missing": NotFound,
    "invalid": InvalidArgument,
    "conflict": Conflict,
    "late": Unavailable,
}
#: A monitor answers in milliseconds. One that is stopped, or starved, is not waited for longer than this.
ANSWER_SECONDS = 10.0
#: One that has another runtime work for it is at most as late as that may be (``external.py``).
RUNTIME_SECONDS = 70.0
_RETRY_SECONDS = 0.02
_NOT_TAKEN = "the monitor of the container did not take over its network; try again"


def read_answer(line: bytes) -> Answer:
    """What a monitor has answered. Raises what it says has failed, and ``MobyError`` if it is no answer."""
    try:
        answer = Answer.decode(line, "answer of the container's monitor")
    except MalformedMessage as error:
        raise MobyError(str(error)) from error
    if answer.error is not None:
        raise _ERRORS.get(answer.error, MobyError)(answer.message or answer.error)
    return answer


async def request(path: Path, patience: float, message: Request) -> None:
    """Asks the monitor for something that has no stream.

    Raises ``Conflict`` if there is no monitor, ``Unavailable`` if it does not answer for ``patience`` seconds.
    """
    _, writer = await _open(path, message, patience)
    writer.close()


async def hand_over(path: Path, patience: float, descriptors: list[int], message: Request) -> None:
    """Asks the monitor to take descriptors over. Raises as ``request`` does; the caller then still has them.

    A monitor waits only a moment for the descriptors, since its container waits meanwhile. This process may be kept from running for
    longer, on a busy machine; it then asks again.
    """
    deadline = time.monotonic() + patience
    while not await _take_over(path, patience, descriptors, message):
        if time.monotonic() > deadline:
            raise Unavailable(_NOT_TAKEN)


async def _take_over(path: Path, patience: float, descriptors: list[int], message: Request) -> bool:
    """Sends descriptors to a monitor. False if they came too late for it. Raises the error with which the monitor refuses."""
    reader, writer = await _open(path, message, patience)
    try:
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as ours:
            socket.send_fds(ours, [b"d"], descriptors)
        async with asyncio.timeout(patience):
            line = await reader.readline()
        if not line:
            raise Conflict("the container has ended")
        read_answer(line)
    except (Unavailable, ConnectionError):
        return False
    except TimeoutError as error:
        raise Unavailable(_NOT_TAKEN) from error
    finally:
        writer.close()
    return True


async def attach(path: Path, options: AttachOptions, patience: float, *, tty: bool) -> Stream:
    """Joins the streams of a running container. Raises as ``request`` does."""
    return MonitorStream(*await _open(path, attach_request(options), patience), tty=tty)


async def execute(path: Path, message: StreamRequest, patience: float, *, tty: bool) -> Stream:
    """Starts an exec; its streams. Raises what its start failed with, and as ``request`` does."""
    return MonitorStream(*await _open(path, message, patience), tty=tty)


async def _open(path: Path, message: Request, patience: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the request has been granted. What is not answered in time is not carried out later: we have hung up by then."""
    try:
        async with asyncio.timeout(patience):
            connection, line = await _connect(path), message.encode_line()
            # at once: a monitor waits a second for a request, and this loop may have much to do before it comes here again
            sent = _send_now(connection, line)
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=STREAM_LIMIT)
            return await _granted(reader, writer, line[sent:])
    except TimeoutError as error:
        raise Unavailable(
            f"the monitor of the container has not answered for {patience:g} s: "
            "try again, or end it with the container by moby kill or moby rm -f"
        ) from error


async def _connect(path: Path) -> socket.socket:
    while True:
        try:
            return unix_socket.connect(str(path), 0.0)
        except BlockingIOError:
            # as many wait already as the kernel lets wait (unix(7))
            await asyncio.sleep(_RETRY_SECONDS)
        except (FileNotFoundError, ConnectionError) as error:
            raise Conflict("the container is not running") from error


def _send_now(connection: socket.socket, line: bytes) -> int:
    """How much of it the kernel has taken. That the monitor has hung up is met when its answer is read."""
    try:
        return connection.send(line)
    except OSError:
        return 0


async def _granted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends the rest of the request, and reads the answer."""
    if rest:
        writer.write(rest)
    try:
        line = await reader.readline()
        if not line:
            raise ConnectionResetError
        read_answer(line)
    except ConnectionError as error:
        writer.close()
        raise Conflict("the container has ended") from error
    except BaseException:
        writer.close()
        raise
    return reader, writer
