"""Where one was: pages, and what the cursor was on, with the way back and forth. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

#: Places remembered.
REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A page, and the id of the row on which the cursor was, perhaps empty."""

    mode: str
    row: str = ""


class Places:
    """Like a browser's: going to another place forgets what was ahead."""

    def __init__(self) -> None:
        self._before: list[Place] = []
        self._ahead: list[Place] = []

    def leave(self, place: Place) -> None:
        """One goes somewhere else from here."""
        if not self._before or self._before[-1] != place:
            self._before = [*self._before, place][-REMEMBERED:]
        self._ahead.clear()

    def move(self, here: Place, step: int) -> Place | None:
        """The place before (-1) or ahead (1), to which one goes from ``here``; None if there is none."""
        taken, given = (self._before, self._ahead) if step < 0 else (self._ahead, self._before)
        if not taken:
            return None
        given.append(here)
        return taken.pop()
