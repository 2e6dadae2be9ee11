"""How dialogs name their keys: as the person's keymap has them."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen


def key_of(dialog: Screen[Any], identifier: str) -> str:
    """The first key of a binding of a dialog that is mounted, by its id, as people write it. Empty if it has none."""
    bindings = (active.binding for active in dialog.active_bindings.values())
    return next((dialog.app.get_key_display(one) for one in bindings if one.id == identifier), "")
