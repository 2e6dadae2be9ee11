"""``df``: what takes how much of the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moby_tui.cli.table.system import SystemDfOptions
    from moby_tui.schema.container import ContainerSummary
    from moby_tui.schema.image import ImageSummary
    from moby_tui.schema.system import BuildCache, DiskUsage
    from moby_tui.schema.volume import Volume


_HEADINGS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}
_RAW = {"type": "Type", "total": "TotalCount", "active": "Active", "size": "Size", "reclaimable": "Reclaimable"}
_IMAGES = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS")
_CONTAINERS = ("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES")
_CACHE = ("CACHE ID", "CACHE TYPE", "SIZE", "LAST USED", "IN USE", "SHARED")
_ALIVE = ("running", "paused", "restarting")


def df(options: SystemDfOptions) -> None:
    """``moby system df``."""
    from moby_tui.cli.output.table import formatted

    usage = session.call(lambda client: client.system.disk_usage())
    if not options.verbose:
        for line in formatted(
            options.format, _HEADINGS, tuple(_HEADINGS), _rows(usage), kind="*formatter.diskUsageImagesContext", raw=_RAW
        ):
            print(line)
    elif options.format:
        from moby_tui.cli.output.objects import show_object
        from moby_tui.schema.base import to_builtins

        show_object(to_builtins(usage), options.format.removeprefix("table").strip(" "))
    else:
        _show_all(usage)


def _rows(usage: DiskUsage) -> list[dict[str, str]]:
    used = {container.image_id for container in usage.containers}
    unused = sum(image.size - max(image.shared_size, 0) for image in usage.images if image.id not in used)
    written = sum(container.size_rw or 0 for container in usage.containers)
    idle = sum(container.size_rw or 0 for container in usage.containers if container.state not in _ALIVE)
    volumes = [(_size(volume), _users(volume)) for volume in usage.volumes]
    cached, spare = usage.build_cache, [entry for entry in usage.build_cache if not entry.in_use]
    rows = [
        _row("Images", len(usage.images), sum(image.id in used for image in usage.images), usage.layers_size, unused),
        _row("Containers", len(usage.containers), sum(row.state in _ALIVE for row in usage.containers), written, idle),
        _row(
            "Local Volumes",
            len(volumes),
            sum(users > 0 for _, users in volumes),
            sum(size for size, _ in volumes),
            sum(size for size, users in volumes if not users),
        ),
        _row("Build Cache", len(cached), len(cached) - len(spare), _total(cached), _total(spare)),
    ]
    # docker's scripts know four kinds
    return rows if session.program() == "docker" else rows + _rest(usage)


def _rest(usage: DiskUsage) -> list[dict[str, str]]:
    """What is no object's: transfers that were broken off, and the engine's own database, journal and folders."""
    sizes = {part.name: part.size for part in usage.moby.parts}
    unused, engine = sizes.get("Unused layers and blobs", 0), sizes.get("Engine", 0)
    rows = [_row("Of no image", 0, 0, unused, unused)] if unused else []
    return rows + ([_row("Engine", 0, 0, engine, 0)] if engine else [])


def _row(type: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, str]:
    from moby_tui.cli.values.units import human_size

    share = f" ({reclaimable * 100 // size}%)" if size else ""
    return {
        "Type": type,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": human_size(size),
        "Reclaimable": human_size(reclaimable) + share,
    }


def _size(volume: Volume) -> int:
    return max(volume.usage_data.size, 0) if volume.usage_data else 0


def _users(volume: Volume) -> int:
    return max(volume.usage_data.ref_count, 0) if volume.usage_data else 0


def _total(entries: Iterable[BuildCache]) -> int:
    return sum(entry.size for entry in entries)


def _show_all(usage: DiskUsage) -> None:
    from moby_tui.cli.output.table import align
    from moby_tui.cli.values.units import human_size

    volumes = [(volume.name, str(_users(volume)), human_size(_size(volume))) for volume in usage.volumes]
    parts = [(part.name, human_size(part.size)) for part in usage.moby.parts]
    sections: list[tuple[str, list[tuple[str, ...]]]] = [
        ("Images space usage:", [_IMAGES, *(row for image in usage.images for row in _image_rows(image))]),
        ("Containers space usage:", [_CONTAINERS, *map(_container_row, usage.containers)]),
        ("Local Volumes space usage:", [("VOLUME NAME", "LINKS", "SIZE"), *volumes]),
        (f"Build cache usage: {human_size(_total(usage.build_cache))}", [_CACHE, *map(_cache_row, usage.build_cache)]),
    ]
    if parts and session.program() != "docker":
        whole = human_size(sum(part.size for part in usage.moby.parts))
        sections.append((f"Data root usage: {whole}", [("PART", "SIZE"), *parts]))
    print("\n\n".join("\n".join([title, "", *align(rows)]) for title, rows in sections))


def _image_rows(image: ImageSummary) -> list[tuple[str, ...]]:
    from moby_tui.cli.output.text import short_id
    from moby_tui.cli.values.moments import ago
    from moby_tui.cli.values.units import human_size

    shared = max(image.shared_size, 0)
    sizes = (human_size(image.size), human_size(shared), human_size(image.size - shared))
    names = [name.rpartition(":")[::2] for name in image.repo_tags] or [("<none>", "<none>")]
    return [
        (repository, tag, short_id(image.id), ago(image.created), *sizes, str(max(image.containers, 0)))
        for repository, tag in names
    ]


def _container_row(row: ContainerSummary) -> tuple[str, ...]:
    from moby_tui.cli.output.text import quoted, short_id
    from moby_tui.cli.values.moments import ago
    from moby_tui.cli.values.units import human_size

    return (
        short_id(row.id),
        row.image,
        quoted(row.command, 20),
        str(sum(mount.type == "volume" for mount in row.mounts)),
        human_size(row.size_rw or 0),
        ago(row.created),
        row.status,
        ",".join(name.removeprefix("/") for name in row.names),
    )


def _cache_row(entry: BuildCache) -> tuple[str, ...]:
    from datetime import datetime

    from moby_tui.cli.values.moments import ago
    from moby_tui.cli.values.units import human_size

    used = ago(datetime.fromisoformat(entry.last_used_at).timestamp()) if entry.last_used_at else "N/A"
    return (entry.id[:12], entry.type, human_size(entry.size), used, str(entry.in_use).lower(), str(entry.shared).lower())
