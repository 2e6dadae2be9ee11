"""The build cache as build clients list and prune it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from moby_tui.api.buildkit.control.filters import any_of
from moby_tui.api.buildkit.wire.control_pb2 import PruneRequest, UsageRecord
from moby_tui.api.client.protocol import Client
from moby_tui.schema.system import BuildCache


async def records(client: Client, filters: Iterable[str] = ()) -> list[UsageRecord]:
    """Raises ``InvalidArgument`` for a malformed filter."""
    matches = any_of(filters)
    records = map(_record, (await client.system.disk_usage()).build_cache or ())
    return [record for record in records if matches(partial(_look, record))]


async def prune(client: Client, request: PruneRequest) -> list[UsageRecord]:
    """Prunes the build cache, and returns the records of what was removed. Raises ``InvalidArgument`` for a malformed filter."""
    before = {record.ID: record for record in await records(client, request.filter)}
    filters = {"until": [str(time.time() - request.keepDuration / 1e9)]} if request.keepDuration else {}
    if any(request.filter):
        if not before:
            return []
        filters["id"] = [f"^{re.escape(ident)}$" for ident in before]
    pruned = await client.builder.prune(
        all=request.all,
        filters=filters,
        reserved_space=request.reservedSpace,
        max_used_space=request.maxUsedSpace,
        min_free_space=request.minFreeSpace,
    )
    return [before.get(ident) or UsageRecord(ID=ident) for ident in pruned.caches_deleted or ()]


def _look(record: UsageRecord, field: str) -> str | None:
    """A field of a record as filters see it: those of BuildKit (cache/manager.go)."""
    flags = {
        "inuse": record.InUse,
        "mutable": record.Mutable,
        "immutable": not record.Mutable,
        "shared": record.Shared,
        "private": not record.Shared,
    }
    if field in flags:
        return "" if flags[field] else None
    texts = {"id": record.ID, "parents": ";".join(record.Parents), "description": record.Description, "type": record.RecordType}
    return texts.get(field) or None


def _record(entry: BuildCache) -> UsageRecord:
    return UsageRecord(
        ID=entry.id,
        Mutable=entry.type != "regular",
        InUse=entry.in_use,
        Size=entry.size,
        CreatedAt=_moment(entry.created_at),
        LastUsedAt=_moment(entry.last_used_at),
        UsageCount=entry.usage_count,
        Description=entry.description,
        RecordType=entry.type,
        Shared=entry.shared,
    )


def _moment(text: str | None) -> Timestamp | None:
    if not text:
        return None
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
