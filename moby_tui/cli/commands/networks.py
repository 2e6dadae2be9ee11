"""``moby network ls``."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

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
