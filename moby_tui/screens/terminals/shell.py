"""A shell, or another command, in a running container: one exec with a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from moby_tui.errors import CommandNotFound, CommandNotInvocable, MobyError, NotFound
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.stream import Stream
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import Session
from moby_tui.screens.terminals.program import Say, ended, words

#: Tried in this order.
SHELLS = (["/bin/bash"], ["/bin/sh"])
#: What a program learns of the terminal.
ENVIRONMENT = ("TERM=xterm-256color", "COLORTERM=truecolor")
#: Ctrl+c and ctrl+d, which end a shell that waits for a command. What else runs there runs on: the engine has no way to end an exec.
_FAREWELL = b"\x03\x04"
#: Exit codes that say that there was no such command, where the engine finds it out only after the start.
_MISSING = (126, 127)


@dataclass(frozen=True, slots=True)
class ShellChoice:
    """``command`` is written as in a shell, empty for the first of ``SHELLS`` that is there; ``user`` is empty for the container's."""

    command: str = ""
    user: str = ""
    folder: str = ""


class Shell:
    """A ``Program``. Raises ``InvalidArgument`` for a command whose quotes do not match."""

    closes = True

    def __init__(self, session: Session, container: Container, choice: ShellChoice | None = None) -> None:
        self._session = session
        self._container = container
        self._choice = choice or ShellChoice()
        self._untried = [words(self._choice.command)] if self._choice.command.strip() else list(SHELLS)
        self._size = (24, 80)
        self._exec = ""
        self._stream: Stream | None = None
        self._typed_into = False
        self._over = False
        self.title = container.name
        self.command = self._command_line()

    def _command_line(self) -> str:
        options = [f"--user {shlex.quote(self._choice.user)}"] if self._choice.user else []
        options += [f"--workdir {shlex.quote(self._choice.folder)}"] if self._choice.folder else []
        return " ".join(["moby exec -it", *options, self._container.name, self._choice.command or "sh"])

    async def open(self, rows: int, columns: int, say: Say) -> None:
        """Starts the first command there is. Raises ``MobyError`` if there is none, or if the container does not run."""
        self._size = (rows, columns)
        tried = [shlex.join(command) for command in self._untried]
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
        raise CommandNotFound(
            f"the container has no {' and no '.join(tried)}; name another command (E), or open a debug shell beside it (D)"
        )

    async def _start(self, command: list[str], rows: int, columns: int) -> Stream:
        config = ExecCreate(
            cmd=command,
            tty=True,
            attach_stdin=True,
            console_size=[rows, columns],
            env=[*ENVIRONMENT],
            user=self._choice.user,
            working_dir=self._choice.folder,
        )
        containers = self._session.client.containers
        self._exec = await containers.exec_create(self._container.id, config)
        stream = await containers.exec_start(self._exec, ExecStart(tty=True, console_size=[rows, columns]))
        if stream is None:
            raise MobyError("the engine gave no stream for the shell; try again")
        return stream

    async def read(self) -> bytes:
        """The next output; empty once it has ended. One that could not run at all gives way to the next."""
        while self._stream:
            data = await self._stream.read_raw(16384)
            self._over = not data
            if data or self._typed_into or not self._untried or await self._exit_code() not in _MISSING:
                return data
            await self.open(*self._size, _unsaid)
        return b""

    async def write(self, data: bytes) -> None:
        if self._stream:
            self._typed_into = True
            await self._stream.write(data)

    async def resize(self, rows: int, columns: int) -> None:
        self._size = (rows, columns)
        if self._stream:
            await self._session.client.containers.exec_resize(self._exec, height=rows, width=columns)

    async def ending(self) -> str:
        return ended("the shell", await self._exit_code())

    async def _exit_code(self) -> int | None:
        """None while it runs, or if the engine does not know."""
        return (await self._session.client.containers.exec_inspect(self._exec)).exit_code

    def close(self) -> None:
        """Asks the shell to end, and lets go of it."""
        if self._stream:
            if not self._over:
                self._over = True
                self._stream.send(_FAREWELL)
            self._stream.close()

    def again(self) -> Shell:
        return Shell(self._session, self._container, self._choice)


def _unsaid(line: str) -> None:
    """For what is said of a start that nobody sees."""


def _tells_missing(error: MobyError) -> bool:
    return any(
        words in error.message.lower()
        for words in ("executable file not found", "no such file or directory", "not found in $path")
    )
