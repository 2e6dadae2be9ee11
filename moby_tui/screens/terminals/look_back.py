"""Looking back in a terminal by keys: a cursor over its lines, a search, and a selection to copy."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

#: Hits of a search that are counted.
MOST_HITS = 10_000


class Lines(Protocol):
    """Lines by their numbers from ``first`` to ``last``, which both grow; ``columns`` is their width."""

    columns: int

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    def texts(self, number: int) -> list[str]:
        """One string for each column; that of the second half of a wide character is empty."""
        ...


class Wish(Enum):
    """What a key asks of the one who shows the lines."""

    NONE = "nothing"
    LEAVE = "leave"
    COPY = "copy what is selected and leave"
    SEARCH = "ask for words to search for, upwards"
    SEARCH_DOWN = "ask for words to search for, downwards"


_ARROWS = {
    **{"up": (-1, 0), "k": (-1, 0), "down": (1, 0), "j": (1, 0)},
    **{"left": (0, -1), "h": (0, -1), "right": (0, 1), "l": (0, 1)},
}
_WISHES = {
    **dict.fromkeys(("escape", "q", "i"), Wish.LEAVE),
    **dict.fromkeys(("enter", "y"), Wish.COPY),
    **{"slash": Wish.SEARCH, "ctrl+f": Wish.SEARCH, "question_mark": Wish.SEARCH_DOWN},
}


class LookBack:
    """``line`` and ``column`` are the cursor's place; ``page`` is how many lines are seen at once."""

    def __init__(self, lines: Lines, line: int, column: int, page: int) -> None:
        self._lines = lines
        self.line, self.column, self.page = line, column, page
        self._anchor: tuple[int, int] | None = None
        self._whole_lines = False
        self.words = ""
        self.up = True

    def press(self, key: str) -> Wish:
        """Takes a key by Textual's name of it."""
        if key in _ARROWS:
            self.move(*_ARROWS[key])
        elif key in ("pageup", "shift+pageup", "ctrl+b", "ctrl+u"):
            self.move(-self.page, 0)
        elif key in ("pagedown", "shift+pagedown", "ctrl+d"):
            self.move(self.page, 0)
        elif key in ("g", "shift+home", "ctrl+home"):
            self.go(self._lines.first, 0)
        elif key in ("G", "shift+end", "ctrl+end"):
            self.go(self._lines.last, 0)
        elif key in ("home", "0"):
            self.column = 0
        elif key in ("end", "dollar_sign"):
            self.column = max(len("".join(self._lines.texts(self.line)).rstrip()) - 1, 0)
        elif key in ("space", "v", "V"):
            self.mark(whole_lines=key == "V")
        elif key in ("n", "N"):
            self.again(up=self.up == (key == "n"))
        else:
            return self._wish(key)
        return Wish.NONE

    def _wish(self, key: str) -> Wish:
        wish = _WISHES.get(key, Wish.NONE)
        if wish is Wish.LEAVE and self._anchor is not None:
            self._anchor = None  # the first escape ends the selection
            return Wish.NONE
        if wish is Wish.COPY and self._anchor is None:
            return Wish.LEAVE
        return wish

    def move(self, lines: int, columns: int) -> None:
        self.go(self.line + lines, self.column + columns)

    def go(self, line: int, column: int) -> None:
        """Puts the cursor somewhere, or to what is nearest to that."""
        self.line = min(max(line, self._lines.first), self._lines.last)
        self.column = min(max(column, 0), self._lines.columns - 1)

    # What is selected

    @property
    def selects(self) -> bool:
        return self._anchor is not None

    def mark(self, *, whole_lines: bool = False) -> None:
        """Begins a selection at the cursor, or ends one."""
        self._anchor = (self.line, self.column) if self._anchor is None or whole_lines != self._whole_lines else None
        self._whole_lines = whole_lines

    def span(self, line: int) -> tuple[int, int] | None:
        """The columns of a line that are selected, from the first up to and without the second."""
        if self._anchor is None:
            return None
        (top, left), (bottom, right) = sorted((self._anchor, (self.line, self.column)))
        if not top <= line <= bottom:
            return None
        if self._whole_lines:
            return 0, self._lines.columns
        return (left if line == top else 0), (right + 1 if line == bottom else self._lines.columns)

    def text(self) -> str:
        """What is selected, without the blanks at the ends of lines."""
        if self._anchor is None:
            return ""
        top, bottom = sorted((self._anchor[0], self.line))
        rows = []
        for number in range(max(top, self._lines.first), bottom + 1):
            start, end = self.span(number) or (0, 0)
            rows.append("".join(self._lines.texts(number)[start:end]).rstrip())
        return "\n".join(rows)

    # Search

    def search(self, words: str, *, up: bool) -> bool:
        """Goes to the nearest hit from the cursor on. Capital letters count if there are any in the words."""
        self.words, self.up = words, up
        return self.again(up=up, here=True)

    def again(self, *, up: bool, here: bool = False) -> bool:
        """Goes to the next hit, beyond the end to the first one; ``here``: perhaps that under the cursor. False if there is none."""
        first, last = self._lines.first, self._lines.last
        count = last - first + 1
        step = -1 if up else 1
        for offset in range(count + 1):
            number = first + (self.line - first + step * offset) % count
            hits = [start for start, _ in self.hits(number)]
            if offset == 0:
                hits = [at for at in hits if (at < self.column if up else at > self.column) or (here and at == self.column)]
            if hits:
                self.go(number, hits[-1] if up else hits[0])
                return True
        return False

    def hits(self, number: int) -> list[tuple[int, int]]:
        """The columns of a line's hits, each from the first up to and without the second."""
        if not self.words:
            return []
        texts = self._lines.texts(number)
        line = "".join(texts)
        words, sought = self.words, line
        if words == words.lower():
            # letters that are longer in the other case would move the columns
            sought = line.lower() if len(line.lower()) == len(line) else line
        places = [column for column, part in enumerate(texts) for _ in part] + [len(texts)]
        ranges, at = [], sought.find(words)
        while at >= 0:
            ranges.append((places[at], places[at + len(words)]))
            at = sought.find(words, at + len(words))
        return ranges

    def count(self) -> tuple[int, int]:
        """Which hit the cursor is at, counted from 1 (0: at none), and how many there are; no more than ``MOST_HITS``."""
        total = place = 0
        for number in range(self._lines.first, self._lines.last + 1):
            for start, _ in self.hits(number):
                total += 1
                if (number, start) == (self.line, self.column):
                    place = total
                if total >= MOST_HITS:
                    return place, total
        return place, total
