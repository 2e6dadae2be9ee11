"""The terminal from the early frame until Textual takes it: keys wait unread and unseen, and whatever ends the program gives it back."""

from __future__ import annotations

import os
import signal
import sys
import termios
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

#: The second screen, which programs draw on; it is empty then.
ALTERNATE_SCREEN = "\x1b[?1049h"
#: The cursor is not seen, and a full line does not begin another.
_DRAWING = f"{ALTERNATE_SCREEN}\x1b[?25l\x1b[?7l"
#: No mouse reports, no paste marks, wrap, kitty's keys and the first screen back, the cursor seen: as Textual's ``stop_application_mode``.
RESTORE = b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?2048l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
#: What ends the program while it cannot yet end in order.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def descriptor() -> int:
    """What is drawn on: standard error, which is Textual's way, or standard output if errors go elsewhere (``moby tui 2>FILE``)."""
    errors, output = sys.__stderr__, sys.__stdout__
    assert errors is not None
    if output is not None and output.isatty() and not errors.isatty():
        return output.fileno()
    return errors.fileno()


def give_back(terminal: int, attributes: list[Any] | None) -> None:
    """Restores a terminal of which nobody may read: what it has not taken yet is dropped. One that is lost is let be."""
    with suppress(OSError, termios.error):
        if attributes is not None:
            termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        termios.tcflush(terminal, termios.TCOFLUSH)
        own = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(own, RESTORE)


class RawTerminal:
    """``hand_over`` or ``close`` ends it; a signal ends the program with 128 and its number, as the dashboard does."""

    def __init__(self, terminal: int, attributes: list[Any]) -> None:
        """``attributes`` as termios(3) has them, before anything is changed."""
        self._terminal, self._attributes = terminal, attributes
        self._is_held = True
        for number in _SIGNALS:
            signal.signal(number, self._signalled)
        raw = [*attributes[:6], [*attributes[6]]]
        raw[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.IXOFF)
        # ctrl-c still ends the program: nothing else reads keys yet
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        raw[6][termios.VSUSP] = raw[6][termios.VQUIT] = os.fpathconf(terminal, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(terminal, termios.TCSANOW, raw)

    def draw(self, text: str) -> None:
        """Writes a first picture. A terminal that is lost meanwhile ends the program by a signal."""
        data = memoryview((_DRAWING + text).encode())
        with suppress(OSError):
            while data:
                data = data[os.write(self._terminal, data) :]

    def hand_over(self) -> None:
        """Textual takes the terminal next: it notes the attributes, and stays on the second screen."""
        if self._is_held:
            self._is_held = False
            with suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._attributes)

    def close(self) -> None:
        """Gives the terminal back if it was not handed over."""
        if self._is_held:
            self._is_held = False
            give_back(self._terminal, self._attributes)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        give_back(self._terminal, self._attributes)
        os._exit(128 + number)


def take() -> RawTerminal | None:
    """The terminal in which this program runs. None if it is none."""
    terminal = descriptor()
    try:
        return RawTerminal(terminal, termios.tcgetattr(terminal))
    except (OSError, termios.error):
        return None
