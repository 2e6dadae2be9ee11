"""Where recovery looks, and what it has found so far."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.rebuilding import ImageRow
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.engine.store.salvage import Salvage


class Sources(msgspec.Struct):
    """The data root, and the rows that could be read of its former database and of the backup."""

    paths: Paths
    old: Salvage
    backup: Salvage

    def records(self, table: str, key: str) -> Iterator[bytes]:
        """The row's record in the former database, then in the backup."""
        for salvaged in (self.old, self.backup):
            if record := salvaged.record(table, key):
                yield record


class Found(msgspec.Struct):
    """The rows to be, by id or name; ``remarks`` on what is missing."""

    containers: dict[str, ContainerRecord] = {}
    images: dict[str, ImageRow] = {}
    volumes: dict[str, VolumeRecord] = {}
    remarks: list[str] = []


def is_decodable(decode: object, records: Iterator[object]) -> bool:
    """Whether each of the records is what ``decode`` takes."""
    try:
        for record in records:
            decode(record)  # type: ignore[operator]
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return False
    return True
