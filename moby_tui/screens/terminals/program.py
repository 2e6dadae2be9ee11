"""What a terminal shows: a program on the engine's side, with its output, its input and its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Protocol

from moby_tui.errors import InvalidArgument

#: Says a line before the program runs: what is fetched, what is made.
Say = Callable[[str], None]


class Program(Protocol):
    """``open`` first, then read, write and resize. ``title`` is clean; ``command`` is the command line that does the same.

    Every method raises ``MobyError`` and the other errors of a lost engine.
    """

    title: str
    command: str
    #: False if its tab stays when it has ended, since what it said is wanted then
    closes: bool

    async def open(self, rows: int, columns: int, say: Say) -> None:
        """Starts it, or joins it. Raises ``MobyError`` if that cannot be."""
        ...

    async def read(self) -> bytes:
        """The next output; empty once it has ended."""
        ...

    async def write(self, data: bytes) -> None: ...
    async def resize(self, rows: int, columns: int) -> None: ...

    async def ending(self) -> str:
        """Says how it has ended, in words; to be asked once its output is over."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...

    def again(self) -> Program:
        """The same, to be opened once more."""
        ...


def words(command: str) -> list[str]:
    """A command that is written as in a shell, in words. Raises ``InvalidArgument`` for quotes that do not match."""
    try:
        return shlex.split(command)
    except ValueError:
        raise InvalidArgument(f"a quote in the command {command!r} is not closed") from None


def ended(what: str, code: int | None) -> str:
    """How something has ended, in words."""
    return f"{what} has ended" if not code else f"{what} has ended with exit code {code}"
