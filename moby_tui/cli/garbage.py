"""Garbage collection: short commands put it off; a daemon or dashboard, which runs for months, must not."""

from __future__ import annotations

import gc

#: CPython's gc.set_threshold(), which ``moby_tui.__main__`` has raised.
_INTERPRETERS_OWN = (700, 10, 10)


def collect_as_usual() -> None:
    """Restores CPython's own thresholds, for a process that runs for long.

    Objects that exist by then (imported modules) are never garbage, and are not examined again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_INTERPRETERS_OWN)
