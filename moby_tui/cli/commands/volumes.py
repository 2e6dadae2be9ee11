"""Volumes: ls, create, rm."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

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
    size: Annotated[bool, typer.Option("-s", "--size", help="Display what each volume takes on disk")] = False,
) -> None:
    """List volumes."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(filter or [])
    listed = session.call(lambda client: client.volumes.listed(filters=filters))
    for warning in listed.warnings or ():
        print(f"WARNING: {warning}", file=sys.stderr)
    sizes = session.call(_sizes) if size else {}
    rows = [
        {
            **dict.fromkeys(_UNKNOWN, "N/A"),
            **({"Size": sizes.get(volume.name, "N/A")} if size else {}),
            "Driver": volume.driver,
            "Name": volume.name,
            "Scope": volume.scope,
            "Mountpoint": volume.mountpoint,
            "Label": volume.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((volume.labels or {}).items())),
        }
        for volume in sorted(listed.volumes, key=lambda volume: volume.name)
    ]
    columns = ("Driver", "Name", "Size") if size else ("Driver", "Name")
    for line in [row["Name"] for row in rows] if quiet and not format else formatted(format, _HEADINGS, columns, rows):
        print(line)


async def _sizes(client: Client) -> dict[str, str]:
    """Of those volumes that have a size."""
    from moby_tui.cli.values.units import human_size

    usages = {volume.name: volume.usage_data for volume in (await client.system.disk_usage()).volumes or []}
    return {name: human_size(usage.size) for name, usage in usages.items() if usage and usage.size >= 0}


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


@app.command("rename")
def rename(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NEW_NAME", show_default=False)],
) -> None:
    """Rename a volume that no container uses."""
    session.call(lambda client: client.volumes.rename(volume, name))


@app.command("clone")
def clone(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NEW_NAME", show_default=False)],
) -> None:
    """Make a new volume with the content and labels of another."""
    print(session.call(lambda client: client.volumes.clone(volume, name)).name)


@app.command("cp")
def cp(
    source: Annotated[str, typer.Argument(metavar="VOLUME:SRC_PATH|SRC_PATH|-", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="VOLUME:DEST_PATH|DEST_PATH|-", show_default=False)],
    archive: Annotated[bool, typer.Option("-a", "--archive", help="Archive mode (copy all uid/gid information)")] = False,
    follow_link: Annotated[bool, typer.Option("-L", "--follow-link", help="Always follow symbol link in SRC_PATH")] = False,
) -> None:
    """Copy files/folders between a volume and the local filesystem ('-' is a tar archive on STDIN or STDOUT)."""
    from moby_tui.cli.files.copying import copy_in, copy_out, split

    (from_volume, from_path), (to_volume, to_path) = split(source), split(target)
    if from_volume and to_volume:
        raise InvalidArgument("copying between volumes is not supported; clone one, or copy to the local file system first")
    if from_volume:
        session.call(lambda client: copy_out(client.volumes, from_volume, from_path, to_path, follow=follow_link, owners=archive))
    elif to_volume:
        session.call(lambda client: copy_in(client.volumes, from_path, to_volume, to_path, follow=follow_link, owners=archive))
    else:
        raise InvalidArgument("one of the two must be VOLUME:PATH")


@app.command("export")
def export(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", show_default=False)],
    output: Annotated[
        str, typer.Option("-o", "--output", help="Write to a file, instead of STDOUT", metavar="string", show_default=False)
    ] = "",
) -> None:
    """Export a volume's content as a tar archive."""
    session.call(lambda client: _export(client, volume, output or "-"))


async def _export(client: Client, volume: str, output: str) -> None:
    from moby_tui.cli.streams import write_archive

    _, chunks = await client.volumes.archive_get(volume, "/.")
    await write_archive(chunks, output)


@app.command("import")
def import_(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", show_default=False)],
    source: Annotated[str, typer.Argument(metavar="SOURCE|-", show_default=False)],
) -> None:
    """Unpack a tar archive, compressed or not, into a volume that exists; what it has of the same names is replaced."""
    session.call(lambda client: _import(client, volume, source))


async def _import(client: Client, volume: str, source: str) -> None:
    from moby_tui.cli.streams import chunks_of

    await client.volumes.inspect(volume)
    await client.volumes.archive_put(volume, "/", chunks_of(source))
