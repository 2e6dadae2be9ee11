"""``--filter key=value``."""

from __future__ import annotations

from collections.abc import Iterable

from moby_tui.cli.session import USAGE
from moby_tui.errors import InvalidArgument


def parse_filters(items: Iterable[str]) -> dict[str, list[str]]:
    """The API's filters; a value may hold ``=`` itself. Raises ``InvalidArgument``."""
    filters: dict[str, list[str]] = {}
    for item in items:
        if not item:
            continue
        key, separator, value = item.partition("=")
        key = key.strip().lower()
        if not separator or not key:
            error = InvalidArgument(f"invalid filter {item!r}: write it as key=value")
            error.exit_code = USAGE
            raise error
        filters.setdefault(key, []).append(value.strip())
    return filters
