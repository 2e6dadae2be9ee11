"""What an engine says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.screens import text

if TYPE_CHECKING:
    from moby_tui.schema.system import Version


def engine_of(version: Version) -> str:
    """``moby 0.1.0``: its name and its version."""
    return text.clean(f"{version.platform.name or 'engine'} {version.version}".strip())
