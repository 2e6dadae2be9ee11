"""Volumes."""

from __future__ import annotations

from moby_tui.cli.table.declare import (
    Argument,
    Command,
    FormatOptions,
    Noun,
    Options,
    PruneOptions,
    dry_run,
    many,
    switch,
    table_format,
    value,
)


class VolumePruneOptions(PruneOptions):
    all: bool = switch("-a", "--all", help="Remove all unused volumes, not just anonymous ones")


class VolumeCpOptions(Options):
    archive: bool = switch("-a", "--archive", help="Archive mode (copy all uid/gid information)")
    follow_link: bool = switch("-L", "--follow-link", help="Always follow symbol link in SRC_PATH")


class VolumeCreateOptions(Options):
    driver: str = value("-d", "--driver", help="Specify volume driver name", default="local")
    label: list[str] = many("--label", help="Set metadata for a volume")
    opt: list[str] = many("-o", "--opt", help="Set driver specific options", metavar="map")


class VolumeExportOptions(Options):
    output: str = value("-o", "--output", help="Write to a file, instead of STDOUT", completes="files")


class VolumeLsOptions(Options):
    filter: list[str] = many("-f", "--filter", help='Provide filter values (e.g. "dangling=true")', metavar="filter")
    format: str = table_format()
    quiet: bool = switch("-q", "--quiet", help="Only display volume names")
    size: bool = switch("-s", "--size", help="Display what each volume takes on disk")


class VolumeRmOptions(Options):
    force: bool = switch("-f", "--force", help="Do not complain of volumes that do not exist")
    dry_run: bool = dry_run()


VOLUME = Noun(
    "volume",
    "Manage volumes",
    Command(
        "clone",
        "volumes:clone",
        Options,
        Argument("volume", "VOLUME", completes="volumes"),
        Argument("name", "NEW_NAME"),
        help="Make a new volume with the content and labels of another.",
        examples=("moby volume clone data data-before-upgrade",),
    ),
    Command(
        "cp",
        "volumes:cp",
        VolumeCpOptions,
        Argument("source", "VOLUME:SRC_PATH|SRC_PATH|-", completes="paths in volumes"),
        Argument("target", "VOLUME:DEST_PATH|DEST_PATH|-", completes="paths in volumes"),
        help="Copy files/folders between volumes, or a volume and the local filesystem ('-' is a tar archive on STDIN or STDOUT).",
        examples=(
            "moby volume cp data:/dump.sql .",
            "moby volume cp ./seed/. data:/",
            "moby volume cp data:/uploads backup:/2026",
        ),
    ),
    Command(
        "create",
        "volumes:create",
        VolumeCreateOptions,
        Argument("name", "[VOLUME]", required=False),
        help="Create a volume.",
        examples=(
            "moby volume create data",
            "moby volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch",
            "moby volume create -o uid=1000 -o gid=1000 -o mode=0750 uploads",
        ),
    ),
    Command(
        "export",
        "volumes:export",
        VolumeExportOptions,
        Argument("volume", "VOLUME", completes="volumes"),
        help="Export a volume's content as a tar archive.",
        examples=("moby volume export -o data.tar data",),
    ),
    Command(
        "import",
        "volumes:import_",
        Options,
        Argument("volume", "VOLUME", completes="volumes"),
        Argument("source", "SOURCE|-", completes="files"),
        help="Unpack a tar archive, compressed or not, into a volume that exists; what it has of the same names is replaced.",
        examples=(
            "moby volume import data data.tar.gz",
            "ssh other moby volume export data | moby volume import data -",
        ),
    ),
    Command(
        "inspect",
        "inspect:volume",
        FormatOptions,
        Argument("names", "VOLUME...", many=True, completes="volumes"),
        help="Display detailed information on one or more volumes.",
        examples=(
            "moby volume inspect data",
            "moby volume inspect -f '{{.Mountpoint}}' data",
        ),
    ),
    Command(
        "ls",
        "volumes:ls",
        VolumeLsOptions,
        help="List volumes.",
        examples=(
            "moby volume ls",
            "moby volume ls --size --filter dangling=true",
        ),
        aliases=("list",),
    ),
    Command(
        "prune",
        "prune:volume",
        VolumePruneOptions,
        help="Remove unused local volumes.",
        examples=(
            "moby volume prune --dry-run",
            "moby volume prune --all --force",
        ),
        destroys=True,
    ),
    Command(
        "rename",
        "volumes:rename",
        Options,
        Argument("volume", "VOLUME", completes="volumes"),
        Argument("name", "NEW_NAME"),
        help="Rename a volume that no container uses.",
        examples=("moby volume rename data data-old",),
    ),
    Command(
        "rm",
        "volumes:rm",
        VolumeRmOptions,
        Argument("volumes", "VOLUME...", many=True, completes="volumes"),
        help="Remove one or more volumes.",
        examples=("moby volume rm data",),
        aliases=("remove",),
        destroys=True,
    ),
)
