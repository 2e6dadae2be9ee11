"""The caller's terminal in raw mode, given back as it was on every way out (termios(3))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def size(fd: int = 1) -> tuple[int, int] | None:
    """Height and width in characters; None where ``fd`` is no terminal, or one without a size."""
    try:
        width, height = os.get_terminal_size(fd)
    except OSError:
        return None
    return (height, width) if height and width else None


@contextmanager
def raw_mode(fd: int) -> Iterator[None]:
    """Raw mode for as long as the block runs."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
