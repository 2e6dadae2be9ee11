"""What a line of ``moby run`` asks for, and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.schema.container import ContainerCreate


@dataclass(frozen=True, slots=True)
class RunRequest:
    """``pull`` is always, missing or never."""

    name: str
    config: ContainerCreate
    platform: str = ""
    pull: str = "missing"


#: Reads the words that follow ``moby run``; the container is to run in the background. Raises ``MobyError`` that says what is wrong.
ReadRun = Callable[[Sequence[str]], RunRequest]


def no_reader(words: Sequence[str]) -> RunRequest:
    """Stands where no command line is: in a dashboard that a program makes of the client alone."""
    raise InvalidArgument("this dashboard was started without the command line, which reads the options of run: use moby tui")
