"""The filters of ``GET /networks`` and of prune."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from moby_tui.engine.store.networks import PREDEFINED
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import InvalidArgument
from moby_tui.expressions import finds
from moby_tui.schema.base import Filters

_OF_LISTS = frozenset(("name", "id", "driver", "scope", "type", "dangling", "label", "label!", "until"))
_OF_PRUNE = frozenset(("label", "label!", "until"))


def check(filters: Filters, *, prune: bool = False) -> None:
    """Raises ``InvalidArgument`` for a filter or value that there is not, also if there is no network that it could fit."""
    for key in filters:
        if key not in (_OF_PRUNE if prune else _OF_LISTS):
            raise InvalidArgument(f"invalid filter '{key}'")
    for key, text in (
        ("dangling", 'got more than one value for filter key "dangling"'),
        ("until", "more than one until filter specified"),
    ):
        if len(filters.get(key, ())) > 1:
            raise InvalidArgument(text)
    for key, read in (("type", _type), ("dangling", _truth), ("until", _until)):
        for value in filters.get(key, ()):
            read(value)


def matches(network: NetworkRecord, filters: Filters, *, used: bool = False) -> bool:
    """True if every filter (``check``) has a value that fits. A value of ``name`` is an expression for a part of the name, one of ``id``
    a part of the id. ``used``: whether a container is in the network."""
    fits: dict[str, Callable[[str], bool]] = {
        "name": lambda value: finds(value, network.name),
        "id": lambda value: value in network.id,
        "driver": lambda value: value == network.driver,
        "scope": lambda value: value == network.scope,
        "type": lambda value: _type(value) == ("builtin" if network.name in PREDEFINED else "custom"),
        "dangling": lambda value: _truth(value) == (not used and network.name not in PREDEFINED),
        "label": lambda value: _has_label(network.labels, value),
        "label!": lambda value: not _has_label(network.labels, value),
        "until": lambda value: _moment(network.created) < _until(value),
    }
    for key, values in filters.items():
        quantifier = all if key in ("label", "label!") else any
        if values and not quantifier(fits[key](value) for value in values):
            return False
    return True


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, separator, value = wanted.partition("=")
    return key in labels and (not separator or labels[key] == value)


def _type(value: str) -> str:
    if value not in ("builtin", "custom"):
        raise InvalidArgument(f"invalid filter: 'type'='{value}'")
    return value


def _truth(value: str) -> bool:
    if value.lower() not in ("true", "1", "false", "0"):
        raise InvalidArgument('invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")')
    return value.lower() in ("true", "1")


def _until(value: str) -> float:
    from moby_tui.engine.resources.images.describe import timestamp

    return timestamp(value)


def _moment(created: str) -> float:
    return datetime.fromisoformat(created).timestamp()
