"""How the dashboard is drawn in a browser: it speaks Textual's web protocol on pipes, and ends with them.

Textual's driver reads no more once its input has ended, and goes on. Then the page is closed, or the server killed.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import Any

from textual.drivers.web_driver import WebDriver

#: An orderly end has this long; then the process ends as it stands. Seconds.
GRACE = 1.5


class BrowserDriver(WebDriver):
    """Ends the application when nobody draws it any more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._write = partial(_write_all, self.fileno)

    def run_input_thread(self) -> None:
        """Reads keys until the end of the input."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._end()

    def _end(self) -> None:
        last = threading.Timer(GRACE, os._exit, (0,))
        last.daemon = True
        last.start()
        try:
            self._loop.call_soon_threadsafe(lambda: self._app.call_later(self._app.exit))
        except RuntimeError:
            return  # the loop is closed: it is ending


def _write_all(fileno: int, data: bytes) -> int:
    """What nobody reads is dropped: the application must live to end in order."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(fileno, rest) :]
    except OSError:
        pass
    return len(data)
