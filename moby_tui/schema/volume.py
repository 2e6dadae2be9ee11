"""Volumes, as the Engine API has them."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType, field

from moby_tui.schema.base import Wire


class VolumeUsage(Wire, kw_only=True):
    """-1 means not computed."""

    size: int = -1
    ref_count: int = -1


class Volume(Wire, kw_only=True):
    created_at: str = ""
    driver: str = "local"
    labels: dict[str, str] | None = None
    mountpoint: str = ""
    name: str
    options: dict[str, str] | None = None
    scope: str = "local"
    #: what its plug-in says of it
    status: dict[str, Any] | UnsetType | None = UNSET
    #: only in the report of disk use
    usage_data: VolumeUsage | UnsetType | None = UNSET


class VolumeCreate(Wire, kw_only=True):
    name: str = ""
    driver: str = "local"
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class VolumeList(Wire, kw_only=True):
    volumes: list[Volume] = field(default_factory=list)
    warnings: list[str] | None = None


class VolumesPruned(Wire, kw_only=True):
    volumes_deleted: list[str] | None = None
    space_reclaimed: int = 0
