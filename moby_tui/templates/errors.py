"""Errors of templates."""

from __future__ import annotations

from moby_tui.errors import InvalidArgument


class TemplateError(InvalidArgument):
    """A template that cannot be parsed, or fails on its value; the message is worded as Go's."""


class UnknownField(TemplateError):
    """The template names a field that the value's type does not have."""
