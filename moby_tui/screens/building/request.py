"""What a line of ``moby build`` asks for, and who reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.schema.build import BuildOptions


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes to the engine. ``context`` is None if the engine fetches it."""

    options: BuildOptions
    context: AsyncIterator[bytes] | None
    uploads: Mapping[str, AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """``where`` is the folder or the address of the context; ``open`` finds the files, and raises ``MobyError`` for those that are not
    there. It is called for each build anew."""

    where: str
    tags: tuple[str, ...]
    open: Callable[[], Sent]


#: Reads the words that follow ``moby build``. Raises ``MobyError`` that says what is wrong.
ReadBuild = Callable[[Sequence[str]], BuildRequest]


def no_reader(words: Sequence[str]) -> BuildRequest:
    """Stands where no command line is: in a dashboard that a program makes of the client alone."""
    raise InvalidArgument("this dashboard was started without the command line, which reads the options of build: use moby tui")
