"""Volumes: ls, create, rm."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.declare import Options
    from moby_tui.cli.table.volumes import (
        VolumeCpOptions,
        VolumeCreateOptions,
        VolumeExportOptions,
        VolumeLsOptions,
        VolumeRmOptions,
    )


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


_RAW = {"name": "Name", "driver": "Driver"}


def ls(options: VolumeLsOptions) -> None:
    """``moby volume ls``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.output.text import natural
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(options.filter)
    listed = session.call(lambda client: client.volumes.listed(filters=filters))
    for warning in listed.warnings or ():
        print(f"WARNING: {warning}", file=sys.stderr)
    sizes = session.call(_sizes) if options.size else {}
    rows = [
        {
            **dict.fromkeys(_UNKNOWN, "N/A"),
            **({"Size": sizes.get(volume.name, "N/A")} if options.size else {}),
            "Driver": volume.driver,
            "Name": volume.name,
            "Scope": volume.scope,
            "Mountpoint": volume.mountpoint,
            "Label": volume.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((volume.labels or {}).items())),
        }
        for volume in sorted(listed.volumes, key=lambda volume: natural(volume.name))
    ]
    columns = ("Driver", "Name", "Size") if options.size else ("Driver", "Name")
    for line in (
        [row["Name"] for row in rows]
        if options.quiet and not options.format
        else formatted(options.format, _HEADINGS, columns, rows, kind="*formatter.volumeContext", raw=_RAW)
    ):
        print(line)


async def _sizes(client: Client) -> dict[str, str]:
    """Of those volumes that have a size."""
    from moby_tui.cli.values.units import human_size

    usages = {volume.name: volume.usage_data for volume in (await client.system.disk_usage()).volumes or []}
    return {name: human_size(usage.size) for name, usage in usages.items() if usage and usage.size >= 0}


def create(options: VolumeCreateOptions, name: str) -> None:
    """``moby volume create``."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.schema.volume import VolumeCreate

    config = VolumeCreate(
        name=name,
        driver=options.driver,
        driver_opts=pairs("--opt", options.opt) or None,
        labels=pairs("--label", options.label) or None,
    )
    print(session.call(lambda client: client.volumes.create(config)).name)


def rm(options: VolumeRmOptions, volumes: list[str]) -> int:
    """``moby volume rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(volumes, lambda look, name: look.volume(name), missing_ok=options.force)
    return session.call_each(volumes, lambda client, name: client.volumes.remove(name, force=options.force))


def rename(options: Options, volume: str, name: str) -> None:
    """``moby volume rename``."""
    session.call(lambda client: client.volumes.rename(volume, name))


def clone(options: Options, volume: str, name: str) -> None:
    """``moby volume clone``."""
    print(session.call(lambda client: client.volumes.clone(volume, name)).name)


def cp(options: VolumeCpOptions, source: str, target: str) -> None:
    """``moby volume cp``."""
    from moby_tui.cli.files.copying import copy_in, copy_out, split

    (from_volume, from_path), (to_volume, to_path) = split(source), split(target)
    if from_volume and to_volume:
        session.call(
            lambda client: client.volumes.copy(from_volume, from_path, to_volume, to_path, follow_link=options.follow_link)
        )
    elif from_volume:
        session.call(
            lambda client: copy_out(
                client.volumes, from_volume, from_path, to_path, follow=options.follow_link, owners=options.archive
            )
        )
    elif to_volume:
        session.call(
            lambda client: copy_in(
                client.volumes, from_path, to_volume, to_path, follow=options.follow_link, owners=options.archive
            )
        )
    else:
        raise InvalidArgument("one of the two must be VOLUME:PATH")


def export(options: VolumeExportOptions, volume: str) -> None:
    """``moby volume export``."""
    session.call(lambda client: _export(client, volume, options.output or "-"))


async def _export(client: Client, volume: str, output: str) -> None:
    from moby_tui.cli.streams import write_archive

    _, chunks = await client.volumes.archive_get(volume, "/.")
    await write_archive(chunks, output)


def import_(options: Options, volume: str, source: str) -> None:
    """``moby volume import``."""
    session.call(lambda client: _import(client, volume, source))


async def _import(client: Client, volume: str, source: str) -> None:
    from moby_tui.cli.streams import chunks_of

    await client.volumes.inspect(volume)
    await client.volumes.archive_put(volume, "/", chunks_of(source))
