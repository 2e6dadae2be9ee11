"""``moby inspect`` and the ``inspect`` of each group."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.cli.declare import Argument, Options, command, switch, value
from moby_tui.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from moby_tui.api.client.protocol import Client

_TYPES = ("container", "image", "network", "volume")


class FormatOptions(Options):
    format: str = value("-f", "--format", help="'json' or a Go template")


class ContainerOptions(FormatOptions):
    size: bool = switch("-s", "--size", help="Display total file sizes of a container")


class InspectOptions(ContainerOptions):
    type: str = value("--type", help="Only inspect objects of the given type")


class ImageOptions(FormatOptions):
    platform: str = value("--platform", help="Inspect a specific platform of the image", metavar="os[/arch[/variant]]")


class NetworkOptions(FormatOptions):
    verbose: bool = switch("-v", "--verbose", help="Verbose output for diagnostics: an engine in a cluster tells its services")


@command("inspect", InspectOptions, Argument("names", "NAME|ID...", many=True))
def inspect(options: InspectOptions, names: list[str]) -> int:
    """Return low-level information on containers, images, networks and volumes."""
    if options.type and options.type not in _TYPES:
        raise InvalidArgument(f"invalid value for --type: {options.type!r}; use {', '.join(_TYPES)}")
    return _inspect(names, (options.type,) if options.type else _TYPES, options.format, size=options.size)


@command("container", ContainerOptions, Argument("names", "CONTAINER...", many=True))
def container(options: ContainerOptions, names: list[str]) -> int:
    """Display detailed information on one or more containers."""
    return _inspect(names, ("container",), options.format, size=options.size)


@command("image", ImageOptions, Argument("names", "IMAGE...", many=True))
def image(options: ImageOptions, names: list[str]) -> int:
    """Display detailed information on one or more images."""
    return _inspect(names, ("image",), options.format, platform=options.platform)


@command("network", NetworkOptions, Argument("names", "NETWORK...", many=True))
def network(options: NetworkOptions, names: list[str]) -> int:
    """Display detailed information on one or more networks."""
    return _inspect(names, ("network",), options.format, verbose=options.verbose)


@command("volume", FormatOptions, Argument("names", "VOLUME...", many=True))
def volume(options: FormatOptions, names: list[str]) -> int:
    """Display detailed information on one or more volumes."""
    return _inspect(names, ("volume",), options.format)


@command("secret", FormatOptions, Argument("names", "SECRET...", many=True))
def secret(options: FormatOptions, names: list[str]) -> int:
    """Display detailed information on one or more secrets, but for what they hold."""
    return _inspect(names, ("secret",), options.format)


def _inspect(
    names: Sequence[str], types: Sequence[str], format: str, *, size: bool = False, platform: str = "", verbose: bool = False
) -> int:
    """Shows what was found, then tells what was not; 1 in that case."""
    from moby_tui.cli.output.objects import show_list

    if format not in ("", "json"):
        from moby_tui.cli.output.template import parse

        parse(format)
    found: list[Any] = []
    missing: list[NotFound] = []

    async def find_all(client: Client) -> None:
        for name in names:
            try:
                found.append(await _find(client, name, types, size=size, platform=platform, verbose=verbose))
            except NotFound as error:
                missing.append(error)

    session.call(find_all)
    if found or not format:
        show_list(found, format)
    for error in missing:
        session.tell(error)
    return 1 if missing else 0


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
    raise NotFound(f"no such object: {name}")
