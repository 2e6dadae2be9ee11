"""Networks: ls, create, rm, connect, disconnect. ``inspect`` and ``prune`` are in their own modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.networks import (
        NetworkConnectOptions,
        NetworkCreateOptions,
        NetworkDisconnectOptions,
        NetworkLsOptions,
        NetworkRmOptions,
    )


_HEADINGS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}


_RAW = {"network_id": "ID", "name": "Name", "driver": "Driver", "scope": "Scope"}


def ls(options: NetworkLsOptions) -> None:
    """``moby network ls``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.output.text import natural
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.templates.values import Time

    filters = parse_filters(options.filter)
    networks = session.call(lambda client: client.networks.list(filters=filters))
    rows = [
        {
            "ID": network.id if options.no_trunc else network.id[:12],
            "Name": network.name,
            "Driver": network.driver,
            "Scope": network.scope,
            "IPv4": str(network.enable_ipv4).lower(),
            "IPv6": str(network.enable_ipv6).lower(),
            "Internal": str(network.internal).lower(),
            "Label": network.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((network.labels or {}).items())),
            "CreatedAt": Time(network.created).go_text() if network.created else "",
        }
        for network in sorted(networks, key=lambda network: natural(network.name))
    ]
    for line in (
        [row["ID"] for row in rows]
        if options.quiet and not options.format
        else formatted(
            options.format, _HEADINGS, ("ID", "Name", "Driver", "Scope"), rows, kind="*network.networkContext", raw=_RAW
        )
    ):
        print(line)


def create(options: NetworkCreateOptions, name: str) -> None:
    """``moby network create``."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.cli.values.networks import ipam
    from moby_tui.schema.network import ConfigReference, NetworkCreate

    auxiliary = pairs("--aux-address", options.aux_address)
    config = NetworkCreate(
        name=name,
        driver=options.driver,
        enable_ipv4=options.ipv4,
        enable_ipv6=options.ipv6,
        scope=options.scope,
        internal=options.internal,
        ingress=options.ingress,
        attachable=options.attachable,
        config_only=options.config_only,
        config_from=ConfigReference(network=options.config_from) if options.config_from else None,
        ipam=ipam(
            options.ipam_driver,
            pairs("--ipam-opt", options.ipam_opt),
            options.subnet,
            options.ip_range,
            options.gateway,
            auxiliary,
        ),
        options=pairs("--opt", options.opt) or None,
        labels=pairs("--label", options.label) or None,
    )
    print(session.call(lambda client: client.networks.create(config)).id)


def rm(options: NetworkRmOptions, networks: list[str]) -> int:
    """``moby network rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(networks, lambda look, name: look.network(name), missing_ok=options.force)

    async def remove(client: Client, name: str) -> None:
        try:
            await client.networks.remove(name)
        except NotFound:
            if not options.force:
                raise
        else:
            print(name, flush=True)

    status = session.call_each(networks, remove, show=False)
    if status and session.program() == "docker":
        print(f"exit status {status}", file=sys.stderr)
    return status


def connect(options: NetworkConnectOptions, network: str, container: str) -> None:
    """``moby network connect``."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings

    if any("=" not in option for option in options.driver_opt):
        raise InvalidArgument("invalid key/value pair format in driver options")
    given = EndpointIpamConfig(ipv4_address=options.ip, ipv6_address=options.ip6, link_local_ips=options.link_local_ip or None)
    config = EndpointSettings(
        ipam_config=given if given != EndpointIpamConfig() else None,
        links=options.link or None,
        aliases=options.alias or None,
        driver_opts=pairs("--driver-opt", options.driver_opt) or None,
        gw_priority=options.gw_priority,
    )
    session.call(lambda client: client.networks.connect(network, container, config))


def disconnect(options: NetworkDisconnectOptions, network: str, container: str) -> None:
    """``moby network disconnect``."""
    session.call(lambda client: client.networks.disconnect(network, container, force=options.force))
