"""What registries say, as the Engine API tells it."""

from __future__ import annotations

from msgspec import Struct, field

from moby_tui.schema import oci
from moby_tui.schema.base import Wire


class SearchResult(Struct, kw_only=True):
    """One repository of ``GET /images/search``; the names on the wire are these."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class DistributionInspect(Wire, kw_only=True):
    """What a reference is in its registry: its manifest or index, and the platforms that this serves."""

    descriptor: oci.Descriptor
    platforms: list[oci.Platform] = field(default_factory=list)
