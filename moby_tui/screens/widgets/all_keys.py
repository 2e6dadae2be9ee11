"""Marks a widget to which every key belongs while it has the focus."""

from __future__ import annotations


class AllKeys:
    """A mixin: the application takes no key from such a widget, as from a shell."""
