"""A shell in a container, through the client: one exec with a terminal."""

from __future__ import annotations

from moby_tui.errors import CommandNotFound, CommandNotInvocable, MobyError, NotFound
from moby_tui.schema.container import ExecCreate, ExecStart
from moby_tui.schema.stream import Stream
from moby_tui.screens.session.session import Session

#: Tried in this order.
SHELLS = (["/bin/bash"], ["/bin/sh"])
#: Exit codes that say that there was no such command, where the engine finds it out only after the start.
_MISSING = (126, 127)


class Shell:
    """The shell that the container has. ``open`` first, then read, write and resize."""

    def __init__(self, session: Session, container: str) -> None:
        self._session = session
        self._container = container
        self._untried = list(SHELLS)
        self._size = (24, 80)
        self._exec = ""
        self._stream: Stream | None = None
        self._typed_into = False

    async def open(self, rows: int, columns: int) -> None:
        """Starts the first shell there is. Raises ``MobyError`` if there is none, or if the container does not run."""
        self._size = (rows, columns)
        while self._untried:
            command = self._untried.pop(0)
            try:
                self._stream = await self._start(command, rows, columns)
                return
            except (CommandNotFound, CommandNotInvocable):
                continue
            except MobyError as error:
                # A remote engine may tell only in words that the file is not there.
                if isinstance(error, NotFound) or not _tells_missing(error):
                    raise
        raise CommandNotFound("the container has neither /bin/bash nor /bin/sh; run one of its own commands with moby exec")

    async def _start(self, command: list[str], rows: int, columns: int) -> Stream:
        config = ExecCreate(
            cmd=command,
            tty=True,
            attach_stdin=True,
            console_size=[rows, columns],
            env=["TERM=xterm-256color", "COLORTERM=truecolor"],
        )
        containers = self._session.client.containers
        self._exec = await containers.exec_create(self._container, config)
        stream = await containers.exec_start(self._exec, ExecStart(tty=True, console_size=[rows, columns]))
        if stream is None:
            raise MobyError("the engine gave no stream for the shell; try again")
        return stream

    async def read(self) -> bytes:
        """The next output; empty once the shell has ended. One that could not run at all gives way to the next."""
        while self._stream:
            data = await self._stream.read_raw(16384)
            if data or self._typed_into or not self._untried or await self.exit_code() not in _MISSING:
                return data
            await self.open(*self._size)
        return b""

    async def write(self, data: bytes) -> None:
        if self._stream:
            self._typed_into = True
            await self._stream.write(data)

    async def resize(self, rows: int, columns: int) -> None:
        self._size = (rows, columns)
        if self._stream:
            await self._session.client.containers.exec_resize(self._exec, height=rows, width=columns)

    async def exit_code(self) -> int | None:
        """None while it runs, or if the engine does not know."""
        return (await self._session.client.containers.exec_inspect(self._exec)).exit_code

    def close(self) -> None:
        if self._stream:
            self._stream.close()


def _tells_missing(error: MobyError) -> bool:
    return any(
        words in error.message.lower()
        for words in ("executable file not found", "no such file or directory", "not found in $path")
    )
