"""``moby inspect`` and the ``inspect`` of each group."""

from __future__ import annotations

import sys

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotConnected, NotFound, NotImplementedYet, NotInSwarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ContainerInspectOptions
    from moby_tui.cli.table.declare import FormatOptions
    from moby_tui.cli.table.images import ImageInspectOptions
    from moby_tui.cli.table.networks import NetworkInspectOptions
    from moby_tui.cli.table.nounless import InspectOptions

_TYPES = ("container", "image", "network", "volume")
#: What ``--type`` knows: the kinds of a cluster, and plug-ins, are of no object here.
_KNOWN = ("config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume")


def inspect(options: InspectOptions, names: list[str]) -> int:
    """``moby inspect``."""
    if options.type is not None and options.type not in _KNOWN:
        what = f'unknown type: "{options.type}"' if options.type else "type is empty"
        kinds = ", ".join(f'"{kind}"' for kind in _KNOWN)
        raise InvalidArgument(f"{what}: must be one of {kinds}")
    return _inspect(names, (options.type,) if options.type else _TYPES, options.format, size=options.size)


def container(options: ContainerInspectOptions, names: list[str]) -> int:
    """``moby container inspect``."""
    return _inspect(names, ("container",), options.format, size=options.size)


def image(options: ImageInspectOptions, names: list[str]) -> int:
    """``moby image inspect``."""
    return _inspect(names, ("image",), options.format, platform=options.platform)


def network(options: NetworkInspectOptions, names: list[str]) -> int:
    """``moby network inspect``."""
    return _inspect(names, ("network",), options.format, verbose=options.verbose)


def volume(options: FormatOptions, names: list[str]) -> int:
    """``moby volume inspect``."""
    return _inspect(names, ("volume",), options.format)


def secret(options: FormatOptions, names: list[str]) -> int:
    """``moby secret inspect``."""
    return _inspect(names, ("secret",), options.format)


def _inspect(
    names: Sequence[str], types: Sequence[str], format: str, *, size: bool = False, platform: str = "", verbose: bool = False
) -> int:
    """Shows what can be shown, then the errors of all others; 1 in that case."""
    from moby_tui.cli.output.objects import show_list

    if format not in ("", "json"):
        from moby_tui.cli.output.template import parse

        parse(format)
    documents: list[Any] = []

    async def find_all(client: Client) -> None:
        for name in names:
            try:
                session.require_name(name)
                documents.append(await _find(client, name, types, size=size, platform=platform, verbose=verbose))
            except (NotFound, InvalidArgument, NotImplementedYet, NotInSwarm) as error:
                documents.append(error)

    try:
        session.call(find_all)
    except NotConnected as error:
        documents.append(error)
    if size:
        _warn_of_size(documents)
    return show_list(documents, format)


def _warn_of_size(documents: Sequence[object]) -> None:
    kinds = {"ImageInspect": "image", "Network": "network", "Volume": "volume"}
    for document in documents:
        if kind := kinds.get(type(document).__name__):
            print(f"WARNING: --size ignored for {kind}", file=sys.stderr)


async def _find(client: Client, name: str, types: Sequence[str], *, size: bool, platform: str, verbose: bool) -> Any:
    for type in types:
        try:
            match type:
                case "container":
                    return await client.containers.inspect(name, size=size)
                case "image":
                    return await client.images.inspect(name, platform=platform)
                case "network":
                    return await client.networks.inspect(name, verbose=verbose)
                case "secret":
                    return await client.secrets.inspect(name)
                case "config" | "node" | "service" | "task":
                    raise NotInSwarm
                case "plugin":
                    raise NotFound(f'plugin "{name}" not found')
                case _:
                    return await client.volumes.inspect(name)
        except NotFound:
            if len(types) == 1:
                raise
    raise NotFound(f"No such object: {name}")
