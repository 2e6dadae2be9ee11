"""A container engine for Linux. ``Engine`` is one in this process, ``connect`` gives that or another one by its address,
``EngineOptions`` configures it.

All are imported when they are first used: the package itself costs nothing.
"""

from __future__ import annotations

# typing is not imported for it: every container pays for what this package imports
TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.connect import connect
    from moby_tui.engine.engine import Engine
    from moby_tui.engine_options import EngineOptions

__all__ = ["Engine", "EngineOptions", "connect"]


def __getattr__(name: str) -> object:
    if name == "Engine":
        from moby_tui.engine.engine import Engine

        return Engine
    if name == "connect":
        from moby_tui.api.client.connect import connect

        return connect
    if name == "EngineOptions":
        from moby_tui.engine_options import EngineOptions

        return EngineOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
