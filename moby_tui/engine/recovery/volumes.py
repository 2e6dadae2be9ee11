"""Volumes, each of its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.recovery.found import Found, Sources, is_decodable
from moby_tui.engine.resources.volumes.manager import ANONYMOUS
from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.engine.store import losses
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.engine.store.salvage import Salvage

_decoder = msgspec.json.Decoder(VolumeRecord)


def is_readable(old: Salvage) -> bool:
    return is_decodable(_decoder.decode, (row[0] for row in old.rows("volumes").values()))


def find(sources: Sources, found: Found) -> None:
    """After the containers, which say what volumes are anonymous. One without a folder has no content that could be lost."""
    anonymous = {name for record in found.containers.values() for name in record.anonymous_volumes}
    for name in sorted(losses.volume_names(sources.paths)):
        folder = sources.paths.volumes / name
        if not folder.is_dir():
            continue
        volume = next(_candidates(sources, name, folder), None)
        if volume is None:
            made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(folder).st_mtime))
            volume = VolumeRecord(
                name=name, mountpoint="", created_at=made, labels={ANONYMOUS: ""} if name in anonymous else None
            )
            if name not in anonymous:
                found.remarks.append(f"volume {name}: its record is lost; its content is there, labels and options are not")
        if volume.driver == "local":
            volume.mountpoint = str(folder / DATA)
            (folder / DATA).mkdir(mode=0o755, exist_ok=True)
        found.volumes[name] = volume


def keep(paths: Paths, found: Found) -> None:
    for volume in found.volumes.values():
        record_files.keep_volume(paths.volumes / volume.name, msgspec.json.encode(volume))


def _candidates(sources: Sources, name: str, folder: Path) -> Iterator[VolumeRecord]:
    kept = record_files.read(folder / record_files.RECORD)
    for data in [*([bytes(kept.record)] if kept else []), *sources.records("volumes", name)]:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            volume = _decoder.decode(data)
            if volume.name == name:
                yield volume
