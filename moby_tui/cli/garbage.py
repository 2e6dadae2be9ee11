"""Garbage collection: short commands put it off; a daemon or dashboard, which runs for months, must not."""

from __future__ import annotations

import gc

#: CPython's gc.set_threshold(), which ``moby_tui.__main__`` has raised.
_INTERPRETERS_OWN = (700, 10, 10)
#: The beginning of a dashboard makes fewer objects.
_NEVER_MEANWHILE = 1_000_000


def put_off() -> None:
    """Collects nothing until ``collect_as_usual``, for a beginning that makes hundreds of thousands of objects and hardly any garbage."""
    gc.set_threshold(_NEVER_MEANWHILE)


def collect_as_usual() -> None:
    """Restores CPython's own thresholds, for a process that runs for long.

    Objects that exist by then (imported modules) are never garbage, and are not examined again; some 3,000 of the 100,000 of a dashboard
    are, and stay. To look for them would stop it for 0.1 s, while somebody may be typing.
    """
    gc.freeze()
    gc.set_threshold(*_INTERPRETERS_OWN)
