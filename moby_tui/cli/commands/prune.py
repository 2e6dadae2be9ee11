"""``prune``: what nothing uses any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.builds import BuilderPruneOptions
    from moby_tui.cli.table.declare import PruneOptions
    from moby_tui.cli.table.images import ImagePruneOptions
    from moby_tui.cli.table.system import SystemPruneOptions
    from moby_tui.cli.table.volumes import VolumePruneOptions
    from moby_tui.schema.base import Filters
    from moby_tui.schema.image import ImagesPruned


def _prune(
    parts: Sequence[str],
    warning: str,
    filters: Filters,
    options: PruneOptions,
    *,
    whole: bool = False,
    separator: str = "\n",
    total: str = "Total reclaimed space: ",
) -> None:
    """``whole``: images, volumes and the cache that the API itself would spare, too.

    ``separator`` and ``total`` are what stands before the question and before the sum.
    """
    from moby_tui.cli.output.objects import confirm
    from moby_tui.cli.values.units import human_size

    wanted = {part: {**_heeded(part, filters, parts), **(_spared(part, parts) if whole else {})} for part in parts}
    if options.dry_run:
        print(f"Total reclaimable space: {human_size(_tell_what_would_go(wanted))}")
        return
    if not confirm(warning, forced=options.force, separator=separator):
        return

    async def remove(client: Client) -> int:
        return sum([await _PRUNERS[part](client, chosen) for part, chosen in wanted.items()])

    print(f"{total}{human_size(session.call(remove))}")


def _spared(part: str, parts: Sequence[str]) -> Filters:
    """The filter for what the API itself would spare. Named volumes go in a prune of volumes alone, as with Docker."""
    is_beside_others = part == "volume" and len(parts) > 1
    return {} if is_beside_others else _WHOLE.get(part, {})


def _heeded(part: str, filters: Filters, parts: Sequence[str]) -> Filters:
    """The build cache has no labels: beside other kinds of objects it heeds its age alone."""
    is_beside_others = part == "build" and len(parts) > 1
    return {name: values for name, values in filters.items() if name == "until"} if is_beside_others else filters


def _tell_what_would_go(wanted: dict[str, Filters]) -> int:
    """Lists what the prunes would remove, each knowing what those before it take; returns the bytes."""
    from moby_tui.schema.system import PruneOptions

    options = PruneOptions(
        containers=wanted.get("container"), volumes=wanted.get("volume"), images=wanted.get("image"), build=wanted.get("build")
    )
    report = session.call(lambda client: client.system.prunable(options))
    reclaimable = 0
    if report.containers:
        _tell("Would delete containers:", report.containers.containers_deleted or [])
        reclaimable += report.containers.space_reclaimed
    if "network" in wanted:
        unused = session.call(lambda client: client.networks.list(filters={**wanted["network"], "dangling": ["true"]}))
        _tell("Would delete networks:", sorted(network.name for network in unused))
    if report.volumes:
        _tell("Would delete volumes:", report.volumes.volumes_deleted or [])
        reclaimable += report.volumes.space_reclaimed
    if report.images:
        _tell("Would delete images:", _steps(report.images))
        reclaimable += report.images.space_reclaimed
    if report.build:
        _tell("Would delete build cache objects:", report.build.caches_deleted or [])
        reclaimable += report.build.space_reclaimed
    return reclaimable


def _steps(pruned: ImagesPruned) -> list[str]:
    return [f"untagged: {step.untagged}" if step.untagged else f"deleted: {step.deleted}" for step in pruned.images_deleted or []]


async def _containers(client: Client, filters: Filters) -> int:
    done = await client.containers.prune(filters=filters)
    _tell("Deleted Containers:", done.containers_deleted or [])
    return done.space_reclaimed


async def _images(client: Client, filters: Filters) -> int:
    done = await client.images.prune(filters=filters)
    _tell("Deleted Images:", _steps(done))
    return done.space_reclaimed


async def _volumes(client: Client, filters: Filters) -> int:
    done = await client.volumes.prune(filters=filters)
    _tell("Deleted Volumes:", done.volumes_deleted or [])
    return done.space_reclaimed


async def _networks(client: Client, filters: Filters) -> int:
    done = await client.networks.prune(filters=filters)
    _tell("Deleted Networks:", done.networks_deleted or [])
    return 0


async def _builds(client: Client, filters: Filters) -> int:
    every = filters.pop("all", None) is not None
    space = {name.replace("-", "_"): int("".join(filters.pop(name, ())) or 0) for name in _SPACES}
    done = await client.builder.prune(all=every, filters=filters, **space)
    _tell("Deleted build cache objects:", done.caches_deleted or [])
    return done.space_reclaimed


#: What the API itself would spare: tagged images, named volumes, the cache of images.
_WHOLE: dict[str, Filters] = {"image": {"dangling": ["false"]}, "volume": {"all": ["true"]}, "build": {"all": ["true"]}}
#: What bounds a prune of the build cache, among the filters of the API's dry run.
_SPACES = ("reserved-space", "max-used-space", "min-free-space")
_PRUNERS = {"container": _containers, "network": _networks, "volume": _volumes, "image": _images, "build": _builds}


def _tell(title: str, names: Sequence[str]) -> None:
    if names:
        print(title, *names, "", sep="\n")


def container(options: PruneOptions) -> None:
    """``moby container prune``."""
    from moby_tui.cli.values.filters import parse_filters

    _prune(
        ["container"],
        "This will remove all stopped containers.",
        parse_filters(options.filter),
        options,
    )


def image(options: ImagePruneOptions) -> None:
    """``moby image prune``."""
    from moby_tui.cli.values.filters import parse_filters

    what = "all images without at least one container associated to them" if options.all else "all dangling images"
    _prune(
        ["image"],
        f"This will remove {what}.",
        parse_filters(options.filter),
        options,
        whole=options.all,
    )


def volume(options: VolumePruneOptions) -> None:
    """``moby volume prune``."""
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(options.filter)
    if options.all and "all" in filters:
        raise InvalidArgument("conflicting options: cannot specify both --all and --filter all=1")
    what = "all local volumes" if options.all else "anonymous local volumes"
    _prune(
        ["volume"],
        f"This will remove {what} not used by at least one container.",
        filters,
        options,
        whole=options.all,
    )


def network(options: PruneOptions) -> None:
    """``moby network prune``."""
    from moby_tui.cli.output.objects import confirm
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(options.filter)
    if options.dry_run:
        _tell_what_would_go({"network": filters})
    elif confirm("This will remove all custom networks not used by at least one container.", forced=options.force):
        session.call(lambda client: _networks(client, filters))


def builder(options: BuilderPruneOptions) -> None:
    """``moby builder prune``."""
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.cli.values.units import parse_size

    what = "all build cache" if options.all else "all dangling build cache"
    filters = parse_filters(options.filter)
    for name, text in zip(_SPACES, (options.reserved_space, options.max_used_space, options.min_free_space), strict=True):
        if text:
            filters[name] = [str(parse_size(text))]
            what = "the build cache that was not used for longest"
    # in the words of buildx, which docker calls here
    _prune(
        ["build"],
        f"This will remove {what}.",
        filters,
        options,
        whole=options.all,
        separator=" ",
        total="Total:\t",
    )


def system(options: SystemPruneOptions) -> None:
    """``moby system prune``."""
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(options.filter)
    if options.volumes and "until" in filters:
        raise InvalidArgument('ERROR: The "until" filter is not supported with "--volumes"')
    parts = ["container", "network", *(["volume"] if options.volumes else []), "image", "build"]
    _prune(
        parts,
        _list_of(_described(options), options.filter),
        filters,
        options,
        whole=options.all,
    )


def _described(options: SystemPruneOptions) -> list[str]:
    return [
        "all stopped containers",
        "all networks not used by at least one container",
        *(["all anonymous volumes not used by at least one container"] if options.volumes else []),
        "all images without at least one container associated to them" if options.all else "all dangling images",
        "all build cache" if options.all else "unused build cache",
    ]


def _list_of(parts: Sequence[str], filters: Sequence[str]) -> str:
    lines = ["This will remove:", *(f"  - {part}" for part in parts), ""]
    if filters:
        lines += ["  Items to be pruned will be filtered with:", *(f"  - {one}" for one in filters), ""]
    return "\n".join(lines)
