"""The use of the disk by kinds of objects, as the engine counts it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moby_tui.schema.system import BuildCache, DiskUsage
from moby_tui.schema.volume import Volume
from moby_tui.screens import text

_ALIVE = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True)
class Share:
    """What objects of one kind take, in bytes. ``reclaimable`` is of those that nothing uses; ``shared`` what images have in common."""

    title: str
    count: int
    used: int
    size: int
    reclaimable: int
    shared: int = 0


def shares(usage: DiskUsage) -> list[Share]:
    """One for each kind; what images share is counted once."""
    used = {container.image_id for container in usage.containers}
    unique = sum(image.size - max(image.shared_size, 0) for image in usage.images)
    unused = sum(image.size - max(image.shared_size, 0) for image in usage.images if image.id not in used)
    idle = [container for container in usage.containers if container.state not in _ALIVE]
    spare = [entry for entry in usage.build_cache if not entry.in_use]
    cached = [entry for entry in usage.build_cache if not entry.shared]
    volumes = [(size_of(volume), users_of(volume)) for volume in usage.volumes]
    return [
        Share(
            "Images",
            len(usage.images),
            sum(image.id in used for image in usage.images),
            usage.layers_size,
            unused,
            max(usage.layers_size - unique, 0),
        ),
        Share(
            "Containers",
            len(usage.containers),
            len(usage.containers) - len(idle),
            sum(one.size_rw or 0 for one in usage.containers),
            sum(one.size_rw or 0 for one in idle),
        ),
        Share(
            "Volumes",
            len(volumes),
            sum(users > 0 for _, users in volumes),
            sum(size for size, _ in volumes),
            sum(size for size, users in volumes if not users),
        ),
        Share("Build cache", len(usage.build_cache), len(usage.build_cache) - len(spare), _total(cached), _total(spare)),
    ]


def parts(usage: DiskUsage) -> list[tuple[str, int]]:
    """The parts of the data root, the largest first, which add up to what du(1) says of it; none from an engine that is not moby."""
    return sorted(((text.clean(part.name), part.size) for part in usage.moby.parts), key=lambda part: -part[1])


def size_of(volume: Volume) -> int:
    """Bytes; 0 if they were not counted."""
    return max(volume.usage_data.size, 0) if volume.usage_data else 0


def users_of(volume: Volume) -> int:
    """How many containers use it."""
    return max(volume.usage_data.ref_count, 0) if volume.usage_data else 0


def _total(entries: Iterable[BuildCache]) -> int:
    return sum(entry.size for entry in entries)
