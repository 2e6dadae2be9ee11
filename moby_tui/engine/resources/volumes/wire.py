"""Volumes between the Engine API (``schema/volume.py``) and what is kept on disk (``store/records/volumes.py``)."""

from __future__ import annotations

from moby_tui.engine.store.records import converted
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.schema.volume import Volume


def volume_to_keep(volume: Volume) -> VolumeRecord:
    """Without the status of a plug-in's volume and without a size: they are asked for each time. Raises ``InvalidArgument``."""
    return converted(volume, VolumeRecord, "volume")


def volume_to_show(record: VolumeRecord) -> Volume:
    """The volume without status and size."""
    return converted(record, Volume, "volume")
