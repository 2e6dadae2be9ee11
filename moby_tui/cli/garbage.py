"""Garbage collection: a command puts it off, what serves for months must not."""

from __future__ import annotations

import gc

#: CPython's gc.set_threshold(), which ``moby_tui.__main__`` has raised.
_INTERPRETERS_OWN = (700, 10, 10)


def collect_as_usual() -> None:
    """Collects garbage as often as an interpreter does by itself: a command puts it off, and what serves for months must not.

    What has been imported by then is never garbage, and not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_INTERPRETERS_OWN)
