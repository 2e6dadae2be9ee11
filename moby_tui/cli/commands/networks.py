"""Networks: ls, create, rm, connect, disconnect. ``inspect`` and ``prune`` are in their own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()

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


@app.command("ls")
def ls(
    filter: Annotated[
        list[str] | None, typer.Option("-f", "--filter", help='Provide filter values (e.g. "driver=bridge")', metavar="filter")
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False),
    ] = "",
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Do not truncate the output")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only display network IDs")] = False,
) -> None:
    """List networks."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.templates.values import Time

    filters = parse_filters(filter or [])
    networks = session.call(lambda client: client.networks.list(filters=filters))
    rows = [
        {
            "ID": network.id if no_trunc else network.id[:12],
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
        for network in sorted(networks, key=lambda network: network.name)
    ]
    for line in (
        [row["ID"] for row in rows]
        if quiet and not format
        else formatted(format, _HEADINGS, ("ID", "Name", "Driver", "Scope"), rows)
    ):
        print(line)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NETWORK", show_default=False)],
    attachable: Annotated[bool, typer.Option("--attachable", help="Enable manual container attachment")] = False,
    aux_address: Annotated[
        list[str] | None, typer.Option("--aux-address", help="Auxiliary IPv4 or IPv6 addresses used by the driver", metavar="map")
    ] = None,
    driver: Annotated[str, typer.Option("-d", "--driver", help="Driver to manage the Network", metavar="string")] = "bridge",
    gateway: Annotated[
        list[str] | None, typer.Option("--gateway", help="IPv4 or IPv6 Gateway for the master subnet", metavar="ipSlice")
    ] = None,
    internal: Annotated[bool, typer.Option("--internal", help="Restrict external access to the network")] = False,
    ip_range: Annotated[
        list[str] | None, typer.Option("--ip-range", help="Allocate container ip from a sub-range", metavar="strings")
    ] = None,
    ipam_driver: Annotated[str, typer.Option("--ipam-driver", help="IP Address Management Driver", metavar="string")] = "default",
    ipam_opt: Annotated[
        list[str] | None, typer.Option("--ipam-opt", help="Set IPAM driver specific options", metavar="map")
    ] = None,
    ipv4: Annotated[bool | None, typer.Option("--ipv4/--no-ipv4", help="Enable or disable IPv4 address assignment")] = None,
    ipv6: Annotated[bool | None, typer.Option("--ipv6/--no-ipv6", help="Enable or disable IPv6 address assignment")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="Set metadata on a network", metavar="list")] = None,
    opt: Annotated[list[str] | None, typer.Option("-o", "--opt", help="Set driver specific options", metavar="map")] = None,
    subnet: Annotated[
        list[str] | None,
        typer.Option("--subnet", help="Subnet in CIDR format that represents a network segment", metavar="strings"),
    ] = None,
) -> None:
    """Create a network."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.cli.values.networks import ipam
    from moby_tui.schema.network import NetworkCreate

    auxiliary = pairs("--aux-address", aux_address or [])
    config = NetworkCreate(
        name=name,
        driver=driver,
        enable_ipv4=ipv4,
        enable_ipv6=ipv6,
        internal=internal,
        attachable=attachable,
        ipam=ipam(ipam_driver, pairs("--ipam-opt", ipam_opt or []), subnet or [], ip_range or [], gateway or [], auxiliary),
        options=pairs("--opt", opt or []) or None,
        labels=pairs("--label", label or []) or None,
    )
    print(session.call(lambda client: client.networks.create(config)).id)


@app.command("rm")
def rm(
    networks: Annotated[list[str], typer.Argument(metavar="NETWORK...", show_default=False)],
    force: Annotated[bool, typer.Option("-f", "--force", help="Do not error if the network does not exist")] = False,
) -> int:
    """Remove one or more networks."""

    async def remove(client: Client, name: str) -> None:
        try:
            await client.networks.remove(name)
        except NotFound:
            if not force:
                raise

    return session.call_each(networks, remove)


@app.command("connect")
def connect(
    network: Annotated[str, typer.Argument(metavar="NETWORK", show_default=False)],
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    alias: Annotated[
        list[str] | None, typer.Option("--alias", help="Add network-scoped alias for the container", metavar="strings")
    ] = None,
    driver_opt: Annotated[
        list[str] | None, typer.Option("--driver-opt", help="driver options for the network", metavar="strings")
    ] = None,
    gw_priority: Annotated[
        int, typer.Option("--gw-priority", help="Highest gw-priority provides the default gateway", metavar="int")
    ] = 0,
    ip: Annotated[str, typer.Option("--ip", help='IPv4 address (e.g., "172.30.100.104")', metavar="ip")] = "",
    ip6: Annotated[str, typer.Option("--ip6", help='IPv6 address (e.g., "2001:db8::33")', metavar="ip")] = "",
    link: Annotated[list[str] | None, typer.Option("--link", help="Add link to another container", metavar="list")] = None,
    link_local_ip: Annotated[
        list[str] | None, typer.Option("--link-local-ip", help="Add a link-local address for the container", metavar="strings")
    ] = None,
) -> None:
    """Connect a container to a network."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings

    given = EndpointIpamConfig(ipv4_address=ip, ipv6_address=ip6, link_local_ips=link_local_ip or None)
    config = EndpointSettings(
        ipam_config=given if given != EndpointIpamConfig() else None,
        links=link or None,
        aliases=alias or None,
        driver_opts=pairs("--driver-opt", driver_opt or []) or None,
        gw_priority=gw_priority,
    )
    session.call(lambda client: client.networks.connect(network, container, config))


@app.command("disconnect")
def disconnect(
    network: Annotated[str, typer.Argument(metavar="NETWORK", show_default=False)],
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    force: Annotated[bool, typer.Option("-f", "--force", help="Force the container to disconnect from a network")] = False,
) -> None:
    """Disconnect a container from a network."""
    session.call(lambda client: client.networks.disconnect(network, container, force=force))
