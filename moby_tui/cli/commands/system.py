"""The engine itself: info, df."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from moby_tui.cli import session
from moby_tui.version import VERSION

if TYPE_CHECKING:
    from moby_tui.schema.system import DiskUsage, Info

app = typer.Typer()


@app.command("info")
def info(
    format: Annotated[
        str, typer.Option("-f", "--format", help="'json' or a Go template", metavar="string", show_default=False)
    ] = "",
) -> None:
    """Display system-wide information."""
    from moby_tui.schema.base import to_builtins

    answer = session.call(lambda client: client.system.info())
    if format:
        from moby_tui.cli.output.objects import show_object

        show_object({**to_builtins(answer), "ClientInfo": {"Version": VERSION, "Debug": session.current().debug}}, format)
        return
    print(f"Client:\n Version:    {VERSION}\n\nServer:")
    for name, fact in _facts(answer):
        print(f" {name}: {fact}")
    for warning in answer.warnings or []:
        print(f"WARNING: {warning}")


def _facts(info: Info) -> list[tuple[str, Any]]:
    from moby_tui.cli.values.units import binary_size

    return [
        ("Containers", info.containers),
        (" Running", info.containers_running),
        (" Paused", info.containers_paused),
        (" Stopped", info.containers_stopped),
        ("Images", info.images),
        ("Server Version", info.server_version),
        ("Storage Driver", info.driver),
        *((f" {name}", text) for name, text in info.driver_status),
        ("Logging Driver", info.logging_driver),
        ("Cgroup Driver", info.cgroup_driver),
        ("Cgroup Version", info.cgroup_version),
        ("Volume Plugins", " ".join(info.plugins.volume)),
        ("Network Plugins", " ".join(info.plugins.network)),
        ("Default Runtime", info.default_runtime),
        ("Security Options", " ".join(info.security_options)),
        ("Kernel Version", info.kernel_version),
        ("Operating System", info.operating_system),
        ("OSType", info.os_type),
        ("Architecture", info.architecture),
        ("CPUs", info.n_cpu),
        ("Total Memory", binary_size(info.mem_total)),
        ("Name", info.name),
        ("ID", info.id),
        ("Docker Root Dir", info.docker_root_dir),
        ("Runtimes", " ".join(sorted(info.runtimes))),
        ("Default Runtime", info.default_runtime),
        ("Live Restore Enabled", str(info.live_restore_enabled).lower()),
    ]


_HEADINGS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}


@app.command("df")
def df(
    format: Annotated[
        str,
        typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False),
    ] = "",
) -> None:
    """Show disk usage."""
    from moby_tui.cli.output.table import formatted

    usage = session.call(lambda client: client.system.disk_usage())
    for line in formatted(format, _HEADINGS, tuple(_HEADINGS), _usage_rows(usage)):
        print(line)


def _usage_rows(usage: DiskUsage) -> list[dict[str, str]]:
    images = {container.image_id for container in usage.containers}
    unused = sum(image.size - max(image.shared_size, 0) for image in usage.images if image.id not in images)
    running = [container for container in usage.containers if container.state in ("running", "paused", "restarting")]
    written = sum(container.size_rw or 0 for container in usage.containers)
    idle = written - sum(container.size_rw or 0 for container in running)
    mounted = {mount.name for container in usage.containers for mount in container.mounts if mount.type == "volume"}
    return [
        _usage_row("Images", len(usage.images), sum(image.id in images for image in usage.images), usage.layers_size, unused),
        _usage_row("Containers", len(usage.containers), len(running), written, idle),
        {
            **_usage_row("Local Volumes", len(usage.volumes), sum(volume.name in mounted for volume in usage.volumes), 0, 0),
            "Size": "N/A",
            "Reclaimable": "N/A",
        },
    ]


def _usage_row(type: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, str]:
    from moby_tui.cli.values.units import human_size

    share = f" ({reclaimable * 100 // size}%)" if size else ""
    return {
        "Type": type,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": human_size(size),
        "Reclaimable": human_size(reclaimable) + share,
    }
