"""The engine itself: info."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moby_tui.cli import session
from moby_tui.version import VERSION

if TYPE_CHECKING:
    from moby_tui.cli.table.declare import FormatOptions
    from moby_tui.schema.system import Info


def info(options: FormatOptions) -> None:
    """``moby info``."""
    answer = session.call(lambda client: client.system.info())
    if options.format:
        from moby_tui.cli.output.objects import show_object
        from moby_tui.schema.base import to_builtins

        fields = to_builtins(answer)
        show_object({**fields, "ClientInfo": {"Version": VERSION, "Debug": session.current().debug}}, options.format)
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
        ("Plugins", ""),
        (" Volume", " ".join(info.plugins.volume)),
        (" Network", " ".join(info.plugins.network)),
        (" Log", " ".join(info.plugins.log)),
        ("Swarm", info.swarm.local_node_state),
        ("Runtimes", " ".join(sorted(info.runtimes))),
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
        ("Debug Mode", str(info.debug).lower()),
        ("Live Restore Enabled", str(info.live_restore_enabled).lower()),
        *_address_pools(info),
    ]


def _address_pools(info: Info) -> list[tuple[str, object]]:
    """As docker has them; nothing if the daemon was given none."""
    pools = info.default_address_pools or []
    return [("Default Address Pools", ""), *(("  Base", f"{pool.base}, Size: {pool.size}") for pool in pools)] if pools else []
