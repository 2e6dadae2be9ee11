"""``image explore``: what is in an image's layers, and what of it is wasted."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.images import ImageExploreOptions
    from moby_tui.schema.exploration import FileChange, ImageExploration

_LAYERS = ("LAYER", "SIZE", "ADDED", "CHANGED", "DELETED", "WASTED", "CREATED BY")
_MARKS = {"added": "A", "changed": "C", "deleted": "D"}


def explore(options: ImageExploreOptions, image: str) -> None:
    """``moby image explore``."""
    if options.json and options.format not in ("", "json"):
        raise InvalidArgument("--json and --format contradict each other: give one")
    format = "json" if options.json else options.format
    if options.files or options.layer is not None:
        if format not in ("", "json"):
            raise InvalidArgument("a list of files takes no template: leave --format out, or give json")
        session.call(lambda client: _list(client, image, options.layer, as_json=bool(format)))
        return
    exploration = session.call(lambda client: client.images.explore(image))
    if format:
        from moby_tui.cli.output.objects import show_object
        from moby_tui.schema.base import to_builtins

        show_object(to_builtins(exploration), format)
    else:
        _show(image, exploration, options.top)


async def _list(client: Client, image: str, layer: int | None, *, as_json: bool) -> None:
    from moby_tui.schema.base import encode

    changes = client.images.layer_files(image, layer=layer)
    async with aclosing(changes) as lines:  # type: ignore[type-var]
        async for change in lines:
            print(encode(change).decode() if as_json else _line(change, one=layer is not None))


def _line(change: FileChange, *, one: bool) -> str:
    from moby_tui.cli.output.text import printable
    from moby_tui.cli.values.units import human_size

    where = "" if one else f"{change.layer:>3} "
    return f"{where}{_MARKS[change.kind]} {human_size(change.size, 3):>8} /{printable(change.path)}"


def _show(image: str, found: ImageExploration, top: int) -> None:
    from moby_tui.cli.output.table import align
    from moby_tui.cli.output.text import printable, short_id, shortened
    from moby_tui.cli.values.units import human_size

    def size(value: int) -> str:
        return human_size(value, 3)

    print(f"Image:       {image} ({short_id(found.id)})")
    print(f"Size:        {size(found.size)} in {len(found.layers)} layers; {found.files} files are seen")
    print(f"Wasted:      {size(found.wasted)}")
    print(f"Efficiency:  {found.efficiency * 100:.2f} %\n")
    rows = [
        (
            str(layer.index),
            size(layer.size),
            *(str(count) for count in (layer.added, layer.changed, layer.deleted)),
            size(layer.wasted),
            printable(shortened(layer.created_by, 60)),
        )
        for layer in found.layers
    ]
    print(*align([_LAYERS, *rows]), sep="\n")
    wasted = [(str(file.copies), size(file.size), f"/{printable(file.path)}") for file in found.wasted_files[:top]]
    if wasted:
        print("", *align([("HIDDEN COPIES", "WASTED", "PATH"), *wasted]), sep="\n")
