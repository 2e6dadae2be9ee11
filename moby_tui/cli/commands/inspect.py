"""``moby inspect`` and the ``inspect`` of each group."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, MobyError, NotConnected, NotFound

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


def inspect(options: InspectOptions, names: list[str]) -> int:
    """``moby inspect``."""
    if options.type and options.type not in _TYPES:
        own = f"invalid value for --type: {options.type!r}; use {', '.join(_TYPES)}"
        known = '"config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"'
        raise InvalidArgument(session.phrase(own, f'unknown type: "{options.type}": must be one of {known}'))
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
    """Shows what was found, then tells what was not; 1 in that case."""
    if format not in ("", "json"):
        from moby_tui.cli.output.template import parse

        parse(format)
    documents: list[Any] = []
    missing: list[MobyError] = []

    async def find_all(client: Client) -> None:
        for name in names:
            try:
                session.require_name(name)
                documents.append(await _find(client, name, types, size=size, platform=platform, verbose=verbose))
            except (NotFound, InvalidArgument) as error:
                missing.append(error)

    try:
        session.call(find_all)
    except NotConnected as error:
        missing.append(error)
    if documents or not format:
        _show(documents, format)
    elif session.program() == "docker":
        print()
    for refusal in missing:
        session.tell(refusal)
    return 1 if missing else 0


def _show(documents: Sequence[Any], format: str) -> None:
    from moby_tui.cli.output.objects import show_list

    try:
        show_list(documents, format)
    except InvalidArgument:
        if session.program() == "docker":
            print()
        raise


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
                case _:
                    return await client.volumes.inspect(name)
        except NotFound:
            if len(types) == 1:
                raise
    raise NotFound(f"No such object: {name}")
