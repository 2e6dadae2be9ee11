"""Lines that are drawn anew in their place, on a terminal and in a pipe."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pyte
import pytest

from moby_tui.cli.output.inline import InlineView


class Terminal:
    """A terminal of 20 columns and 6 lines, with a line that stood there before."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 20, 0, 0))
        self.out = os.fdopen(theirs, "w")
        self.screen = pyte.HistoryScreen(20, 6)
        self._stream = pyte.ByteStream(self.screen)
        self.out.write("$ moby stats\n")

    def shown(self) -> list[str]:
        self.out.flush()
        os.write(self.out.fileno(), b"\0")
        seen = b""
        while not seen.endswith(b"\0"):
            seen += os.read(self.ours, 65536)
        assert b"\x1b[H" not in seen and b"\x1b[2J" not in seen
        self._stream.feed(seen)
        return [line.rstrip() for line in self.screen.display]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.out.close()
    os.close(opened.ours)


def test_each_frame_takes_the_place_of_the_one_before(terminal: Terminal) -> None:
    view = InlineView(terminal.out)
    view.show(["NAME  CPU", "web   1%", "db    2%"])
    assert terminal.shown()[:5] == ["$ moby stats", "NAME  CPU", "web   1%", "db    2%", ""]
    view.show(["NAME  CPU", "a-name-that-is-far-too-long 3%"])
    assert terminal.shown() == ["$ moby stats", "NAME  CPU", "a-name-that-is-far-t", "", "", ""]
    view.show([])
    assert terminal.shown() == ["$ moby stats", "", "", "", "", ""]


def test_more_than_there_is_room_for_is_told(terminal: Terminal) -> None:
    view = InlineView(terminal.out)
    for round in (1, 2):
        view.show(["NAME", *(f"容器{'器' * number}{round}" for number in range(8)), "a\nb"])
        shown = terminal.shown()
        # the line that stood there before has scrolled, once: nothing else is in the way of who scrolls back
        assert shown == ["NAME", f"容器{round}", f"容器器{round}", f"容器器器{round}", "… 7 more", ""]
        assert len(terminal.screen.history.top) == 1


def test_a_pipe_gets_all_of_it_each_time() -> None:
    out = io.StringIO()
    view = InlineView(out)
    view.show(["NAME", "web"])
    view.show(["NAME", "a-name-that-is-far-too-long"])
    assert out.getvalue() == "NAME\nweb\nNAME\na-name-that-is-far-too-long\n"
