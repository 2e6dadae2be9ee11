"""How the dashboard holds its terminal: it ends when the terminal is gone or a signal asks, and gives back one that is still there.

Textual's driver reads an empty input for ever once the terminal is lost, waits for ever for a writer that the loss has ended, and
leaves the terminal raw on a signal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
from types import FrameType
from typing import Any, cast

from textual.drivers.linux_driver import LinuxDriver

#: An orderly end has this long; then the process ends as it stands. The containers do not depend on it. Seconds.
GRACE = 1.5
#: No mouse reports, no paste marks, wrap, kitty's keys and the first screen back, the cursor seen: as ``stop_application_mode``.
_RESTORE = b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?2048l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"


class _Output:
    """What the writer thread writes to. What a lost terminal does not take is dropped: the thread must live to take the rest."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno

    def fileno(self) -> int:
        return self._fileno

    def write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        try:
            while data:
                data = data[os.write(self._fileno, data) :]
        except OSError:
            return

    def flush(self) -> None:
        """Nothing is held back."""


def _terminal() -> int:
    """What is drawn on: standard error, which is Textual's way, or standard output if errors go elsewhere (``moby tui 2>FILE``)."""
    errors, output = sys.__stderr__, sys.__stdout__
    assert errors is not None
    if output is not None and output.isatty() and not errors.isatty():
        return output.fileno()
    return errors.fileno()


class TtyDriver(LinuxDriver):
    """Exit codes: 128 and the signal's number; a lost terminal counts as SIGHUP."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = cast("Any", _Output(_terminal()))
        self._watched = False
        self._ending = threading.Lock()

    def start_application_mode(self) -> None:
        """Takes the terminal. The signals are minded before it is raw."""
        if not self._watched:
            self._watched = True
            for number in (signal.SIGTERM, signal.SIGHUP):
                # The loop's own handlers run in the loop, and that may be waiting for the terminal to take its output.
                signal.signal(number, self._signalled)
            threading.Thread(target=self._watch, name="terminal-watch", daemon=True).start()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own size: COLUMNS and LINES, if a shell exports them, stay as they were when it changes."""
        try:
            width, height = os.get_terminal_size(self.fileno)
        except OSError:
            width = height = 0
        return (width, height) if width and height else super()._get_terminal_size()

    def run_input_thread(self) -> None:
        """Reads keys until the end. The watch ends the program when the terminal is lost."""
        try:
            super().run_input_thread()
        except OSError:
            self._end(128 + signal.SIGHUP)

    def _watch(self) -> None:
        """Waits for the loss of the terminal, which poll tells without being asked for anything (poll(2), POLLHUP)."""
        watch = select.poll()
        watch.register(self.fileno, 0)
        watch.poll()
        self._end(128 + signal.SIGHUP)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._end(128 + number)

    def _end(self, code: int) -> None:
        """Asks the application to end, and sees to it that it does. Only the first call counts."""
        if not self._ending.acquire(blocking=False):
            return
        last = threading.Timer(GRACE, self._end_at_once, (code,))
        last.daemon = True
        last.start()
        try:
            # By a message: the application takes none before its first page stands, and could not end in order before that.
            self._loop.call_soon_threadsafe(lambda: self._app.call_later(self._app.exit, return_code=code))
        except RuntimeError:
            return  # the loop is closed: it is ending

    def _end_at_once(self, code: int) -> None:
        """The application hangs, most likely since its output is not read: what is not read yet is dropped for what restores."""
        try:
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            termios.tcflush(self.fileno, termios.TCOFLUSH)
            terminal = os.open(os.ttyname(self.fileno), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            os.write(terminal, _RESTORE)
        except (OSError, termios.error):
            pass  # there is no terminal left to restore
        finally:
            os._exit(code)
