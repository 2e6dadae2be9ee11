"""From what an engine sends of a log to lines: times taken off, escape sequences taken out, pieces of a long line joined."""

from __future__ import annotations

from moby_tui.screens import text
from moby_tui.screens.logs.levels import Level, find_level
from moby_tui.screens.logs.moments import parse_stamp
from moby_tui.screens.logs.store import NOTE, LogLine

#: The rest of a longer line is not kept.
MAX_LINE = 16 * 1024


class Lining:
    """The lines of one container, which is number ``source`` in the store."""

    def __init__(self, source: int) -> None:
        self.source = source
        #: of each stream: the time and the beginning of a line that has no end yet
        self._open: dict[int, tuple[int, bytearray]] = {}

    def take(self, fd: int, data: bytes) -> LogLine | None:
        """``data`` is one line that begins with its time, or a piece of one. None while the line has no end."""
        begun = self._open.get(fd)
        if begun is None:
            head, space, rest = data.partition(b" ")
            stamp = parse_stamp(head.decode("ascii", "replace")) if space else 0
            content = rest if stamp else data
        else:
            stamp, content = begun[0], data
        if not data.endswith(b"\n"):
            kept = begun[1] if begun else bytearray()
            kept += content[: MAX_LINE - len(kept)]
            self._open[fd] = stamp, kept
            return None
        if begun is not None:
            del self._open[fd]
            content = bytes(begun[1]) + content
        return make_line(stamp, self.source, fd, content)

    def rest(self) -> list[LogLine]:
        """The lines that never got an end."""
        rest = [make_line(stamp, self.source, fd, bytes(data)) for fd, (stamp, data) in self._open.items()]
        self._open.clear()
        return rest


def make_line(stamp: int, source: int, fd: int, content: bytes) -> LogLine:
    """Cleans a line. Only colours are left of its escape sequences, and those beside its text."""
    content = content[:MAX_LINE].rstrip(b"\r\n")
    coloured = text.clean_coloured(content.decode("utf-8", "replace"))
    if "\x1b" in coloured:
        plain = text.ESCAPES.sub("", coloured)
    else:
        plain, coloured = coloured, ""
    data = plain.encode("utf-8", "replace")
    return LogLine(stamp, source, fd, find_level(data), data, coloured)


def note(stamp: int, source: int, words: str) -> LogLine:
    """A line of the dashboard's own."""
    return LogLine(stamp, source, NOTE, Level.NONE, text.clean(words).encode())
