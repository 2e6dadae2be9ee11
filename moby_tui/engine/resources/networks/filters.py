"""The filters of ``GET /networks``."""

from __future__ import annotations

from collections.abc import Callable

from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import Filters
from moby_tui.schema.network import Network


def matches(network: Network, filters: Filters) -> bool:
    """Every filter has a value that fits; names and ids fit in part, as Docker has it. Raises ``InvalidArgument``."""
    fits: dict[str, Callable[[str], bool]] = {
        "name": lambda value: value in network.name,
        "id": lambda value: network.id.startswith(value),
        "driver": lambda value: value == network.driver,
        "scope": lambda value: value == network.scope,
        "type": lambda value: value == "builtin",
        "dangling": lambda value: value.lower() in ("false", "0"),
        "label": lambda value: _has_label(network.labels, value),
    }
    for key, values in filters.items():
        if key not in fits:
            raise InvalidArgument(f"invalid filter {key!r}; networks have {', '.join(sorted(fits))}")
        quantifier = all if key == "label" else any
        if values and not quantifier(fits[key](value) for value in values):
            return False
    return True


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, separator, value = wanted.partition("=")
    return key in labels and (not separator or labels[key] == value)
