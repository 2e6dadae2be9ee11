"""``docker compose`` as the dashboard asks for it; the command line has the plug-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client


class Compose(Protocol):
    """Who starts the dashboard knows whether docker's plug-in is here."""

    def missing(self) -> str:
        """Why nothing can be composed, in one line; empty if it can."""
        ...

    async def up(self, client: Client, *files: str, before: Sequence[str] = (), after: Sequence[str] = ()) -> tuple[int, str]:
        """Runs ``docker compose BEFORE -f FILE… up -d AFTER`` against the engine of the client.

        Returns the exit code and the end of what it says.
        """
        ...


class NoCompose:
    """Stands where no command line is: in a dashboard that a program makes of the client alone."""

    def missing(self) -> str:
        return "this dashboard was started without the command line, which knows docker's plug-ins: use moby tui"

    async def up(self, client: Client, *files: str, before: Sequence[str] = (), after: Sequence[str] = ()) -> tuple[int, str]:
        return 1, self.missing()


def up_line(files: Sequence[str], before: Sequence[str] = (), after: Sequence[str] = ()) -> list[str]:
    """The words after ``compose``."""
    return [*before, *(word for file in files for word in ("-f", file)), "up", "-d", *after]
