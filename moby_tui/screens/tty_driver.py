"""How the dashboard holds its terminal: it ends when the terminal is gone or a signal asks, and gives back one that is still there.

Textual's driver reads an empty input for ever once the terminal is lost, waits for ever for a writer that the loss has ended, and
leaves the terminal raw on a signal.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from types import FrameType
from typing import Any, cast

from textual.drivers.linux_driver import LinuxDriver

from moby_tui.screens import raw_terminal
from moby_tui.screens.raw_terminal import ALTERNATE_SCREEN, RawTerminal

#: An orderly end has this long; then the process ends as it stands. The containers do not depend on it. Seconds.
GRACE = 1.5


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


class TtyDriver(LinuxDriver):
    """Exit codes: 128 and the signal's number; a lost terminal counts as SIGHUP."""

    #: The terminal with a picture on it already, until it is taken over.
    held: RawTerminal | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = cast("Any", _Output(raw_terminal.descriptor()))
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
        if self.held is not None:
            self.held.hand_over()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.held = None

    def write(self, data: str) -> None:
        """Writes. A picture that is there already stays until the next takes its place: the second screen would begin empty."""
        if self.held is None or data != ALTERNATE_SCREEN:
            super().write(data)

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
        raw_terminal.give_back(self.fileno, self.attrs_before)
        os._exit(code)


def driver_over(held: RawTerminal | None) -> type[TtyDriver]:
    """The driver of a dashboard that takes over a terminal with a picture on it."""
    return type("TtyDriver", (TtyDriver,), {"held": held}) if held else TtyDriver
