"""Volumes: ls, create, rm."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()

#: Docker's list knows these fields and not their values.
_UNKNOWN = ("Availability", "Group", "Links", "Size", "Status")
_HEADINGS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    **{name: name.upper() for name in _UNKNOWN},
}


@app.command("ls")
def ls(
    filter: Annotated[
        list[str] | None, typer.Option("-f", "--filter", help='Provide filter values (e.g. "dangling=true")', metavar="filter")
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False),
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only display volume names")] = False,
) -> None:
    """List volumes."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(filter or [])
    volumes = session.call(lambda client: client.volumes.list(filters=filters))
    rows = [
        {
            **dict.fromkeys(_UNKNOWN, "N/A"),
            "Driver": volume.driver,
            "Name": volume.name,
            "Scope": volume.scope,
            "Mountpoint": volume.mountpoint,
            "Label": volume.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((volume.labels or {}).items())),
        }
        for volume in sorted(volumes, key=lambda volume: volume.name)
    ]
    for line in [row["Name"] for row in rows] if quiet and not format else formatted(format, _HEADINGS, ("Driver", "Name"), rows):
        print(line)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="[VOLUME]", show_default=False)] = "",
    driver: Annotated[str, typer.Option("-d", "--driver", help="Specify volume driver name", metavar="string")] = "local",
    label: Annotated[list[str] | None, typer.Option("--label", help="Set metadata for a volume", metavar="list")] = None,
    opt: Annotated[list[str] | None, typer.Option("-o", "--opt", help="Set driver specific options", metavar="map")] = None,
) -> None:
    """Create a volume."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.schema.volume import VolumeCreate

    config = VolumeCreate(
        name=name, driver=driver, driver_opts=pairs("--opt", opt or []) or None, labels=pairs("--label", label or []) or None
    )
    print(session.call(lambda client: client.volumes.create(config)).name)


@app.command("rm")
def rm(
    volumes: Annotated[list[str], typer.Argument(metavar="VOLUME...", show_default=False)],
    force: Annotated[bool, typer.Option("-f", "--force", help="Do not complain of volumes that do not exist")] = False,
) -> int:
    """Remove one or more volumes."""
    return session.call_each(volumes, lambda client, name: client.volumes.remove(name, force=force))
