"""``moby inspect`` and the ``inspect`` of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client

app = typer.Typer()

Format = Annotated[str, typer.Option("-f", "--format", help="'json' or a Go template", metavar="string", show_default=False)]
Size = Annotated[bool, typer.Option("-s", "--size", help="Display total file sizes of a container")]
_TYPES = ("container", "image", "network", "volume")


@app.command("inspect")
def inspect(
    names: Annotated[list[str], typer.Argument(metavar="NAME|ID...", show_default=False)],
    format: Format = "",
    size: Size = False,
    type: Annotated[
        str, typer.Option("--type", help="Only inspect objects of the given type", metavar="string", show_default=False)
    ] = "",
) -> int:
    """Return low-level information on containers, images, networks and volumes."""
    if type and type not in _TYPES:
        raise InvalidArgument(f"invalid value for --type: {type!r}; use {', '.join(_TYPES)}")
    return _inspect(names, (type,) if type else _TYPES, format, size=size)


@app.command("container")
def container(
    names: Annotated[list[str], typer.Argument(metavar="CONTAINER...", show_default=False)],
    format: Format = "",
    size: Size = False,
) -> int:
    """Display detailed information on one or more containers."""
    return _inspect(names, ("container",), format, size=size)


@app.command("image")
def image(
    names: Annotated[list[str], typer.Argument(metavar="IMAGE...", show_default=False)],
    format: Format = "",
    platform: Annotated[
        str,
        typer.Option(
            "--platform", help="Inspect a specific platform of the image", metavar="os[/arch[/variant]]", show_default=False
        ),
    ] = "",
) -> int:
    """Display detailed information on one or more images."""
    return _inspect(names, ("image",), format, platform=platform)


@app.command("network")
def network(names: Annotated[list[str], typer.Argument(metavar="NETWORK...", show_default=False)], format: Format = "") -> int:
    """Display detailed information on one or more networks."""
    return _inspect(names, ("network",), format)


@app.command("volume")
def volume(names: Annotated[list[str], typer.Argument(metavar="VOLUME...", show_default=False)], format: Format = "") -> int:
    """Display detailed information on one or more volumes."""
    return _inspect(names, ("volume",), format)


def _inspect(names: Sequence[str], types: Sequence[str], format: str, *, size: bool = False, platform: str = "") -> int:
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
                found.append(await _find(client, name, types, size=size, platform=platform))
            except NotFound as error:
                missing.append(error)

    session.call(find_all)
    if found or not format:
        show_list(found, format)
    for error in missing:
        session.tell(error)
    return 1 if missing else 0


async def _find(client: Client, name: str, types: Sequence[str], *, size: bool, platform: str) -> Any:
    for type in types:
        try:
            match type:
                case "container":
                    return await client.containers.inspect(name, size=size)
                case "image":
                    return await client.images.inspect(name, platform=platform)
                case "network":
                    return await client.networks.inspect(name)
                case _:
                    return await client.volumes.inspect(name)
        except NotFound:
            if len(types) == 1:
                raise
    raise NotFound(f"no such object: {name}")
