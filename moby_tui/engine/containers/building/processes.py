"""Processes of a step's container whose streams belong to whoever has asked for the build: the first one, and those beside it."""

from __future__ import annotations

import asyncio
import os
import signal as signals
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from moby_tui.engine.containers import execs
from moby_tui.engine.containers.ending import ending, exit_wait
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import start as starting
from moby_tui.engine.protocol import control
from moby_tui.engine.resources.builder.step import Step
from moby_tui.engine.runtime.client import attachment
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import Conflict, MobyError, NotFound
from moby_tui.schema.container import AttachOptions
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.operations import Process
from moby_tui.schema.stream import Stream

#: Seconds between two looks at a process that has closed its streams and has not ended.
_LOOK_AGAIN = 0.05


class FirstProcess:
    """The container's own. Implements ``schema.build.StepProcess``."""

    def __init__(self, parts: Parts, record: ContainerRecord, stream: Stream, exit: exit_wait.ExitWait) -> None:
        self.stream = stream
        self._parts = parts
        self._record = record
        self._exit = exit

    async def resize(self, height: int, width: int) -> None:
        with suppress(Conflict, NotFound):
            await self._parts.request(self._record, control.Resize(height=height, width=width))

    async def kill(self, signal: int) -> None:
        with suppress(Conflict, NotFound):
            await ending.kill(self._parts, self._record, signal)

    async def result(self) -> int:
        return (await self._exit.result()).status_code


class FurtherProcess:
    """One that runs beside the first. Implements ``schema.build.StepProcess``."""

    def __init__(self, parts: Parts, ident: str, stream: Stream) -> None:
        self.stream = stream
        self._parts = parts
        self._ident = ident

    async def resize(self, height: int, width: int) -> None:
        with suppress(MobyError):
            await execs.resize(self._parts, self._ident, height, width)

    async def kill(self, signal: int) -> None:
        with suppress(OSError, NotFound):
            pidfd = os.pidfd_open(execs.inspect(self._parts, self._ident).pid)
            try:
                # a pid may be used again: it is that of the process as long as that runs
                if execs.inspect(self._parts, self._ident).running:
                    signals.pidfd_send_signal(pidfd, signal)
            finally:
                os.close(pidfd)

    async def result(self) -> int:
        inspected = execs.inspect(self._parts, self._ident)
        while inspected.running:
            await asyncio.sleep(_LOOK_AGAIN)
            inspected = execs.inspect(self._parts, self._ident)
        return inspected.exit_code or 0


class OpenedStep:
    """Implements ``builder.step.OpenedStep``."""

    def __init__(self, parts: Parts, record: ContainerRecord, first: FirstProcess) -> None:
        self.first = first
        self._parts = parts
        self._record = record

    async def execute(self, process: Process) -> FurtherProcess:
        """Its variables are those of ``process`` alone."""
        asked = ExecCreate(
            attach_stdin=True,
            tty=process.tty,
            env=process.environment,
            cmd=process.command,
            privileged=process.insecure,
            user=process.user,
            working_dir=process.working_directory,
        )
        ident = await execs.create(self._parts, self._record.id, asked, inherits_environment=False)
        stream = await execs.start(self._parts, ident, ExecStart(tty=process.tty))
        assert stream is not None
        return FurtherProcess(self._parts, ident, stream)


@asynccontextmanager
async def opened(parts: Parts, record: ContainerRecord, step: Step, *, tty: bool) -> AsyncIterator[OpenedStep]:
    """The step's command runs in its container, which was created. At the end of the block both are left as they are."""
    options = AttachOptions(stdin=True)
    stream = await attachment.attach_before_start(parts.files(record).attachments, options, tty=tty)
    waiting = exit_wait.wait(parts, record, "next-exit")
    try:
        await starting.start(parts, record, trees=step.trees)
        yield OpenedStep(parts, record, FirstProcess(parts, record, stream, waiting))
    finally:
        stream.close()
        await waiting.close()
