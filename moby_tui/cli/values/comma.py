"""Comma-separated ``key=value`` fields, with CSV's quotes for a value that holds a comma."""

from __future__ import annotations

from moby_tui.errors import InvalidArgument


def fields(option: str, spec: str) -> list[tuple[str, str, str]]:
    """Each field as ``str.partition("=")`` cuts it, keys trimmed and in lower case. Raises ``InvalidArgument``."""
    import csv

    try:
        [items] = csv.reader([spec], strict=True)
    except (ValueError, csv.Error):
        raise InvalidArgument(f"invalid value for {option}: {spec!r}; it is one line of comma-separated key=value") from None
    parts = [item.partition("=") for item in items]
    return [(key.strip().lower(), equals, value) for key, equals, value in parts]
