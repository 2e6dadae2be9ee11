"""The filters of ``GET /volumes`` and of ``POST /volumes/prune``."""

from __future__ import annotations

from collections.abc import Callable

from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.errors import InvalidArgument
from moby_tui.expressions import finds
from moby_tui.schema.base import Filters
from moby_tui.schema.volume import Volume

_TRUTH = {"1": True, "true": True, "True": True, "0": False, "false": False, "False": False}


class VolumeFilter:
    """The filters of one request. A volume matches if it matches every key and every label, and one of a key's other values.

    A value of ``name`` is a regular expression for a part of the name.
    """

    def __init__(self, filters: Filters | None, keys: frozenset[str]) -> None:
        """``keys`` are those that the endpoint takes. Raises ``InvalidArgument`` for another key, and for a value that is no boolean."""
        self._filters = {key: values for key, values in (filters or {}).items() if values}
        for key in filters or {}:
            if key not in keys:
                raise InvalidArgument(f"invalid filter '{key}'")
        self._dangling = self._truth("dangling")
        #: True if prune removes named volumes too
        self.all = bool(self._truth("all"))

    def matches(self, volume: Volume | VolumeRecord, used: Callable[[str], bool]) -> bool:
        """True for a volume that the filters take.

        ``used`` returns whether a container has the volume of a name mounted; only the filter ``dangling`` calls it.
        """
        drivers = self._filters.get("driver")
        return (
            ("name" not in self._filters or any(finds(name, volume.name) for name in self._filters["name"]))
            and (drivers is None or volume.driver in drivers)
            and all(_has_label(volume, label) for label in self._filters.get("label", ()))
            and not any(_has_label(volume, label) for label in self._filters.get("label!", ()))
            and (self._dangling is None or used(volume.name) is not self._dangling)
        )

    def takes_driver(self, driver: str) -> bool:
        """False if the filters take no volume of this driver."""
        return driver in self._filters.get("driver", (driver,))

    def _truth(self, key: str) -> bool | None:
        values = {_TRUTH.get(value) for value in self._filters.get(key, ())}
        if None in values or len(values) > 1:
            raise InvalidArgument(f"invalid filter '{key}=[{' '.join(self._filters[key])}]'")
        return values.pop() if values else None


def _has_label(volume: Volume | VolumeRecord, label: str) -> bool:
    key, equals, value = label.partition("=")
    labels = volume.labels or {}
    return key in labels and (not equals or labels[key] == value)
