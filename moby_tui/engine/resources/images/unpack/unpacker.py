"""The unpacker: a process beside the engine that unpacks layers, each in a child of its own, so that several are unpacked at once.

In threads of the engine, two layers would compete for the interpreter's lock. This process imports what unpacking needs and nothing else
(no asyncio, no msgspec, no aiohttp), is single-threaded, and forks for each layer. It ends when its engine does, and so do
its children: the first time they look at their socket after that.

A job is one ``UnpackRequest`` on the unpacker's socket, with three descriptors: the blob's file, the lock on the staging folder (held
until the child is gone, so that nobody sweeps under it), and the job's own socket. On that the engine says how many bytes of the blob
are there so far, eight bytes a message, the last being its size; the child answers how many it has used, and at the end with an
``UnpackResult``. The engine's end closed is an order to stop.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator

from moby_tui import errors
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.unpacking import MOST_BYTES, MOST_TEXT, UnpackRequest, UnpackResult
from moby_tui.engine.resources.images.unpack.unpack import unpack

#: How the frozen program, which has no ``-m``, is told to be an unpacker.
COMMAND = "__unpacker__"
COUNT = struct.Struct("<q")
_CHUNK = 1 << 18


def main(argument: str) -> None:
    """The unpacker as a program, its socket inherited."""
    serve(socket.socket(fileno=int(argument)))


def serve(engine: socket.socket) -> None:
    """Forks a child for each job until the engine is gone."""
    processes.set_name("moby-unpacker")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the children
    os.umask(0)
    _warm()
    while True:
        message, descriptors, _, _ = socket.recv_fds(engine, MOST_BYTES, 3)
        if not message:
            return
        if len(descriptors) == 3 and os.fork() == 0:
            engine.close()
            _child(message, *descriptors)
        for fd in descriptors:
            os.close(fd)


def _warm() -> None:
    """Imports once what every child needs. A child's search for garbage leaves it out, so that its pages stay shared."""
    from isal import isal_zlib

    isal_zlib.decompressobj(wbits=31)
    gc.collect()
    gc.freeze()


def _child(message: bytes, blob: int, lock: int, fd: int) -> None:
    """Unpacks one layer, in a child. Never returns. ``lock`` is held until the end of the process."""
    engine = socket.socket(fileno=fd)
    try:
        engine.send(_done(message, blob, engine).encode())
    except BaseException:
        os._exit(1)  # the engine is gone, or sees that the socket closes
    os._exit(0)


def _done(message: bytes, blob: int, engine: socket.socket) -> UnpackResult:
    try:
        job = UnpackRequest.decode(message, "request to the unpacker")
        diff_id = unpack(_follow(blob, job.size, engine), job.diff_id, job.layer)
    except errors.MobyError as error:
        return UnpackResult(error=type(error).__name__, text=error.message[:MOST_TEXT])
    except OSError as error:
        return UnpackResult(errno=error.errno or 0, text=str(error)[:MOST_TEXT])
    except MalformedMessage as error:
        return UnpackResult(error="MobyError", text=str(error)[:MOST_TEXT])
    except Exception as error:
        return UnpackResult(error="MobyError", text=f"unpacking failed: {type(error).__name__}: {error}"[:MOST_TEXT])
    return UnpackResult(diff_id=diff_id)


def _follow(blob: int, size: int, engine: socket.socket) -> Iterator[bytes]:
    """Yields the blob from its file as it grows, until all of it is there."""
    offset = there = 0
    while offset < size:
        there = max(there, _latest_count(engine, wait=offset >= there))
        if data := os.pread(blob, min(_CHUNK, there - offset), offset):
            offset += len(data)
            engine.send(COUNT.pack(offset))
            yield data


def _latest_count(engine: socket.socket, *, wait: bool) -> int:
    """The latest number of bytes from the engine; 0 if there is none and ``wait`` is false. Raises ``MobyError`` if the engine hung up."""
    newest = 0
    while True:
        try:
            message = engine.recv(COUNT.size, 0 if wait and not newest else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return newest
        if not message:
            raise errors.MobyError("the transfer was interrupted")
        newest = max(newest, COUNT.unpack(message)[0])


if __name__ == "__main__":
    main(sys.argv[1])
