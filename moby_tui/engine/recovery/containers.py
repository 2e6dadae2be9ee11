"""Containers, each of its folder."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from moby_tui.engine.recovery.found import Found, Sources, is_decodable
from moby_tui.engine.store import losses
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import ContainerConfig, ContainerRecord, HostConfig
from moby_tui.engine.store.salvage import Salvage
from moby_tui.engine_options import BUILT_IN_RUNTIME

_decoder = msgspec.json.Decoder(ContainerRecord)


class _Process(msgspec.Struct):
    args: list[str] = []
    env: list[str] = []
    cwd: str = ""


class _Bundle(msgspec.Struct):
    """What is taken of the configuration that a running container was given (OCI runtime specification, config.md)."""

    process: _Process
    hostname: str = ""


def is_readable(old: Salvage) -> bool:
    return is_decodable(_decoder.decode, (row[0] for row in old.rows("containers").values()))


def find(sources: Sources, found: Found) -> None:
    """A row for each folder that is not what a killed creator left; a row without a folder was a removed container."""
    for ident in sorted(losses.container_ids(sources.paths)):
        folder = record_files.container_folder(sources.paths.data_root, ident)
        if not folder.is_dir() or (record_files.is_unborn(folder) and not _is_known(sources, ident)):
            continue
        record = next(_candidates(sources, ident), None)
        if record is None:
            record = _of_files(sources.paths, ident)
            found.remarks.append(
                f"container {ident[:12]}: its record is lost; it is named {record.name}, and can be stopped, looked at and removed,"
                f" not started; its files are in {folder}"
            )
        found.containers[ident] = record
    _settle_names(sources, found)


def keep(paths: Paths, found: Found) -> None:
    """Writes the record of each container beside its files."""
    for record in found.containers.values():
        record_files.keep_container(paths.data_root, record.id, record.name, msgspec.json.encode(record))


def _is_known(sources: Sources, ident: str) -> bool:
    return any(ident in salvaged.rows("containers") for salvaged in (sources.old, sources.backup))


def _candidates(sources: Sources, ident: str) -> Iterator[ContainerRecord]:
    folder = record_files.container_folder(sources.paths.data_root, ident)
    for name in (record_files.RECORD, record_files.UNCOMMITTED):
        if kept := record_files.read(folder / name):
            yield from _decoded(bytes(kept.record), ident, kept.name)
    for salvaged in (sources.old, sources.backup):
        if record := salvaged.record("containers", ident):
            yield from _decoded(record, ident, str(salvaged.rows("containers")[ident][1]))


def _decoded(data: bytes, ident: str, name: str) -> Iterator[ContainerRecord]:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        record = _decoder.decode(data)
        if record.id == ident:
            record.name = name or record.name
            yield record


def _settle_names(sources: Sources, found: Found) -> None:
    """Of several with one name the newest has it; the others are renamed, and that is told."""
    taken: set[str] = set()
    for record in sorted(found.containers.values(), key=lambda record: record.created, reverse=True):
        if not record.name or record.name in taken:
            former, record.name = record.name, f"{record.name or 'recovered'}-{record.id[:12]}"
            found.remarks.append(f"container {record.id[:12]}: its name {former} is another's; it is named {record.name}")
        taken.add(record.name)


def _of_files(paths: Paths, ident: str) -> ContainerRecord:
    """A record for a container that has lost its own, made of its bundle: enough to find its processes, and to remove it."""
    files = paths.container(ident)
    made = os.stat(files.data).st_mtime
    bundle = _Bundle(_Process())
    with suppress(OSError, msgspec.DecodeError):
        bundle = msgspec.json.decode(files.bundle.read_bytes(), type=_Bundle)
    args, host = bundle.process.args or [""], HostConfig()
    host.network_mode, host.ipc_mode, host.cgroupns_mode, host.runtime = "bridge", "private", "private", BUILT_IN_RUNTIME
    host.log_config.type, host.restart_policy.name = "json-file", "no"
    return ContainerRecord(
        id=ident,
        name=f"recovered-{ident[:12]}",
        created=made,
        created_at=datetime.datetime.fromtimestamp(made, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
        image="",
        image_id="",
        path=args[0],
        args=args[1:],
        config=ContainerConfig(env=bundle.process.env, hostname=bundle.hostname, working_dir=bundle.process.cwd),
        host_config=host,
    )
