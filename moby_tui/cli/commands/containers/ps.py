"""``moby ps``."""

from __future__ import annotations

import sys
import time

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.containers import PsOptions
    from moby_tui.schema.container import ContainerSummary

_HEADINGS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Size": "SIZE",
    "CreatedAt": "CREATED AT",
    "State": "STATE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Platform": "PLATFORM",
}
_RAW = {
    "container_id": "ID",
    "image": "Image",
    "command": "Command",
    "created_at": "CreatedAt",
    "state": "State",
    "status": "Status",
    "names": "Names",
    "labels": "Labels",
    "ports": "Ports",
}
_SHOWN = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def ps(options: PsOptions) -> None:
    """``moby ps``."""
    limit = 1 if options.latest else max(options.last, 0)
    sizes = options.size or ".Size" in options.format or "json ." in options.format
    filters = _filters(options.filter)
    containers = session.call(
        lambda client: client.containers.list(all=options.all or limit > 0, limit=limit, size=sizes, filters=filters)
    )
    rows = [_row(container, truncate=not options.no_trunc, now=time.time()) for container in containers]
    if options.quiet and options.format:
        print("WARNING: Ignoring custom format, because both --format and --quiet are set.", file=sys.stderr)
    for line in [row["ID"] for row in rows] if options.quiet else _formatted(options, rows):
        print(line)


def _formatted(options: PsOptions, rows: list[dict[str, object]]) -> list[str]:
    from moby_tui.cli.output.table import formatted

    size = {"size": "Size"} if options.size else {}
    shown = (*_SHOWN, *size.values())
    return formatted(
        options.format, _HEADINGS, shown, rows, kind="*formatter.ContainerContext", raw={**_RAW, **size}, checked=True
    )


def _filters(given: list[str]) -> dict[str, list[str]]:
    if not given:
        return {}
    from moby_tui.cli.values.filters import parse_filters

    return parse_filters(given)


def _row(container: ContainerSummary, *, truncate: bool, now: float) -> dict[str, object]:
    from moby_tui.cli.output.text import port_summary, quoted
    from moby_tui.cli.values.moments import local_text
    from moby_tui.cli.values.units import human_duration, human_size

    # as docker, those that come of links (/web/db) where nothing is cut
    names = [name for name in (full.removeprefix("/") for full in container.names) if not (truncate and "/" in name)]
    mounts = [mount.name or mount.source for mount in container.mounts]
    own, root = container.size_rw or 0, container.size_root_fs or 0
    return {
        "ID": container.id[:12] if truncate else container.id,
        "Image": _image(container, truncate=truncate),
        "Command": quoted(container.command, 20 if truncate else 0),
        "RunningFor": f"{human_duration(now - container.created)} ago",
        "Status": container.status,
        "Ports": port_summary(container.ports),
        "Names": ",".join(names),
        "Size": f"{human_size(own, 3)} (virtual {human_size(root, 3)})" if root else human_size(own, 3),
        "CreatedAt": local_text(container.created),
        "State": container.state,
        "Label": container.labels,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(container.labels.items())),
        "Mounts": ",".join(mount[:15] + "…" if truncate and len(mount) > 15 else mount for mount in mounts),
        "Networks": ",".join(container.network_settings.networks),
        "Platform": None,
        "LocalVolumes": str(sum(mount.driver == "local" for mount in container.mounts)),
    }


def _image(container: ContainerSummary, *, truncate: bool) -> str:
    image = container.image or "<no image>"
    return image.removeprefix("sha256:")[:12] if truncate and image.startswith("sha256:") else image
