"""A container engine for Linux. ``Engine`` is one in this process, ``connect`` gives that or another one by its address.

Both are imported when they are first used: the package itself costs nothing.
"""

from __future__ import annotations

# typing is not imported for it: every container pays for what this package imports
TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.connect import connect
    from moby_tui.engine.engine import Engine

__all__ = ["Engine", "connect"]


def __getattr__(name: str) -> object:
    if name == "Engine":
        from moby_tui.engine.engine import Engine

        return Engine
    if name == "connect":
        from moby_tui.api.client.connect import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
