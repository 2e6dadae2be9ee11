"""What an engine is, in a few letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.screens import text
from moby_tui.version import VERSION

if TYPE_CHECKING:
    from moby_tui.schema.system import Version

#: The platform's name in the version that moby's engine tells of itself.
OURS = "moby"


def engine_of(version: Version) -> str:
    """``moby 0.1.0``: its name and its version."""
    return text.clean(f"{version.platform.name or 'engine'} {version.version}".strip())


def own_engine() -> str:
    """The same of the engine in this process, which need not be asked."""
    return f"{OURS} {VERSION}"
