"""Processes in a director's containers, whose streams are messages of one call (ExecProcess)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection
from typing import Any

from moby_tui.api.buildkit.control import definition
from moby_tui.api.buildkit.control.bridge.containers import Containers
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.api.buildkit.wire.status_pb2 import Status
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.build import StepProcess
from moby_tui.schema.stream import STDERR, STDIN, STDOUT

#: The exit code of a process that did not start, which says why on standard error.
_NOT_STARTED = 1
#: google.rpc.Code
_CODE_UNKNOWN = 2


class Processes:
    """Of one call: each message names the process that it is for. ``stream`` is grpclib's."""

    def __init__(self, stream: Any, containers: Containers) -> None:
        self._stream = stream
        self._containers = containers
        self._running: dict[str, StepProcess | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Until the caller sends no more and all processes have ended. What still runs if the call ends before is left running."""
        try:
            while (message := await self._stream.recv_message()) is not None:
                await self._take(message)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _take(self, message: pb.ExecMessage) -> None:
        """Raises ``InvalidArgument``, ``NotFound`` and ``Conflict`` for a message that is for no process."""
        ident, kind = message.ProcessID, message.WhichOneof("Input")
        if not ident:
            raise InvalidArgument("ProcessID required")
        if kind == "Init":
            if ident in self._running:
                raise Conflict(f"Process {ident[:80]} already exists")
            await self._begin(ident, message.Init)
            return
        if ident not in self._running:
            raise NotFound(f'IO for process "{ident[:80]}" not found')
        process = self._running[ident]
        if kind == "Signal" and _number(message.Signal.Name) is None:
            raise InvalidArgument(f"Unknown signal {message.Signal.Name[:40]}")
        if process is None:
            # it has ended, or did not start: the caller does not know yet
            return
        if kind == "File":
            await _write(process, message.File)
        elif kind == "Resize":
            await process.resize(message.Resize.Rows, message.Resize.Cols)
        elif kind == "Signal":
            number = _number(message.Signal.Name)
            assert number is not None
            await process.kill(number)

    async def _begin(self, ident: str, request: pb.InitMessage) -> None:
        """Raises ``NotFound`` for an unknown container. A process that does not start ends with an error."""
        fds = set(request.Fds)
        container = self._containers.get(request.ContainerID)
        self._running[ident] = None
        try:
            process = await container.start(definition.process(request))
        except MobyError as error:
            await self._send(ident, Started=pb.StartedMessage())
            if STDERR in fds:
                data = f"{error.buildkit or error.message}\n".encode("utf-8", "replace")
                await self._send(ident, File=pb.FdMessage(Fd=STDERR, Data=data))
            await self._send_end(ident, fds, _NOT_STARTED)
            return
        self._running[ident] = process
        if STDIN not in fds:
            process.stream.close_stdin()
        await self._send(ident, Started=pb.StartedMessage())
        task = asyncio.create_task(self._follow(ident, process, fds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, ident: str, process: StepProcess, fds: Collection[int]) -> None:
        async for fd, data in process.stream.output():
            if fd in fds:
                await self._send(ident, File=pb.FdMessage(Fd=fd, Data=data))
        code = await process.result()
        self._running[ident] = None
        await self._send_end(ident, fds, code)

    async def _send_end(self, ident: str, fds: Collection[int], code: int) -> None:
        for fd in sorted(fd for fd in fds if fd >= STDOUT):
            await self._send(ident, File=pb.FdMessage(Fd=fd, EOF=True))
        error = Status(code=_CODE_UNKNOWN, message=f"exit code: {code}") if code else None
        await self._send(ident, Exit=pb.ExitMessage(Code=code, Error=error))
        await self._send(ident, Done=pb.DoneMessage())

    async def _send(self, ident: str, **message: Any) -> None:
        async with self._sending:
            await self._stream.send_message(pb.ExecMessage(ProcessID=ident, **message))


async def _write(process: StepProcess, message: pb.FdMessage) -> None:
    if message.Fd != STDIN:
        raise InvalidArgument(f"fd {message.Fd} unavailable to write")
    if message.Data:
        await process.stream.write(message.Data)
    if message.EOF:
        process.stream.close_stdin()


def _number(name: str) -> int | None:
    known = getattr(signal, f"SIG{name.removeprefix('SIG')}", None)
    return int(known) if isinstance(known, signal.Signals) else None
