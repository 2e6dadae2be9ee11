"""Images in the store: images, history, tag, rmi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.base import Filters
    from moby_tui.schema.image import ImageHistory, ImageSummary

app = typer.Typer()

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only show image IDs")]
Whole = Annotated[bool, typer.Option("--no-trunc", help="Don't truncate output")]
Format = Annotated[
    str, typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False)
]
_HEADINGS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
    "CreatedAt": "CREATED AT",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
_HISTORY = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
    "CreatedAt": "CREATED AT",
}


@app.command("images")
def images(
    repository: Annotated[str, typer.Argument(metavar="[REPOSITORY[:TAG]]", show_default=False)] = "",
    all: Annotated[
        bool, typer.Option("-a", "--all", help="Show all images (default hides intermediate and dangling images)")
    ] = False,
    digests: Annotated[bool, typer.Option("--digests", help="Show digests")] = False,
    filter: Annotated[
        list[str] | None, typer.Option("-f", "--filter", help="Filter output based on conditions provided", metavar="filter")
    ] = None,
    format: Format = "",
    no_trunc: Whole = False,
    quiet: Quiet = False,
    tree: Annotated[bool, typer.Option("--tree", help="List multi-platform images as a tree")] = False,
) -> None:
    """List images.

    Filters: dangling=true|false, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME, reference=PATTERN.

    Examples:

      moby images --filter dangling=true

      moby images --filter reference='team/*' --filter since=team/web:1

      moby images --tree
    """
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters([*(filter or []), *([f"reference={repository}"] if repository else [])])
    if tree:
        _show_tree(filters, all=all, whole=no_trunc, others={"--quiet": quiet, "--digests": digests, "--format": bool(format)})
        return
    found = session.call(lambda client: client.images.list(all=all, digests=digests, filters=filters))
    rows = [row for image in found for row in _rows(image, truncate=not no_trunc, digests=digests)]
    shown = ("Repository", "Tag", *(["Digest"] if digests else []), "ID", "CreatedSince", "Size")
    lines = list(dict.fromkeys(row["ID"] for row in rows)) if quiet and not format else formatted(format, _HEADINGS, shown, rows)
    for line in lines:
        print(line)


def _show_tree(filters: Filters, *, all: bool, whole: bool, others: dict[str, bool]) -> None:
    for name, given in others.items():
        if given:
            raise InvalidArgument(f"{name} and --tree contradict each other: give one")
    from moby_tui.cli.output.images import tree

    found = session.call(lambda client: client.images.list(all=all, filters=filters, manifests=True))
    print(*tree(found, whole_ids=whole), sep="\n")


def _rows(image: ImageSummary, *, truncate: bool, digests: bool) -> list[dict[str, str]]:
    """One row for each tag; one for an image that has none."""
    from moby_tui.cli.output.text import short_id
    from moby_tui.cli.values.moments import ago, local_text
    from moby_tui.cli.values.units import human_size

    names = [(*name.rpartition(":")[::2], _digest_of(image, name.rpartition(":")[0])) for name in image.repo_tags]
    if not names:
        names = [(digest.partition("@")[0], "<none>", digest.partition("@")[2]) for digest in image.repo_digests]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "Digest": digest,
            "ID": short_id(image.id) if truncate else image.id,
            "CreatedSince": ago(image.created),
            "CreatedAt": local_text(image.created),
            "Size": human_size(image.size, 3),
            "Containers": "N/A" if image.containers < 0 else str(image.containers),
            "SharedSize": "N/A" if image.shared_size < 0 else human_size(image.shared_size, 3),
            "UniqueSize": "N/A" if image.shared_size < 0 else human_size(image.size - image.shared_size, 3),
            "VirtualSize": human_size(image.size, 3),
        }
        for repository, tag, digest in names or [("<none>", "<none>", "<none>")]
    ]


def _digest_of(image: ImageSummary, repository: str) -> str:
    return next((digest.partition("@")[2] for digest in image.repo_digests if digest.partition("@")[0] == repository), "<none>")


@app.command("history")
def history(
    image: Annotated[str, typer.Argument(metavar="IMAGE", show_default=False)],
    format: Format = "",
    human: Annotated[
        bool, typer.Option("-H", "--human/--no-human", help="Print sizes and dates in human readable format")
    ] = True,
    no_trunc: Whole = False,
    platform: Annotated[
        str,
        typer.Option("--platform", help="Show history for the given platform", metavar="os[/arch[/variant]]", show_default=False),
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Show the history of an image."""
    from moby_tui.cli.output.table import formatted

    entries = session.call(lambda client: client.images.history(image, platform=platform))
    rows = [_history_row(entry, human=human, truncate=not no_trunc) for entry in entries]
    shown = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
    for line in [row["ID"] for row in rows] if quiet and not format else formatted(format, _HISTORY, shown, rows):
        print(line)


def _history_row(entry: ImageHistory, *, human: bool, truncate: bool) -> dict[str, str]:
    from moby_tui.cli.output.text import printable, short_id, shortened
    from moby_tui.cli.values.moments import ago, local_text
    from moby_tui.cli.values.units import human_size

    since = ago(entry.created)
    return {
        "ID": short_id(entry.id) if truncate else entry.id,
        "CreatedSince": since if human else local_text(entry.created),
        "CreatedAt": local_text(entry.created),
        "CreatedBy": printable(shortened(entry.created_by.replace("\t", " "), 45 if truncate else 0)),
        "Size": human_size(entry.size, 3) if human else str(entry.size),
        "Comment": printable(entry.comment),
    }


@app.command("tag")
def tag(
    source: Annotated[str, typer.Argument(metavar="SOURCE_IMAGE[:TAG]", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TARGET_IMAGE[:TAG]", show_default=False)],
) -> None:
    """Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE."""
    session.call(lambda client: client.images.tag(source, target))


@app.command("rmi")
def rmi(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", show_default=False)],
    force: Annotated[bool, typer.Option("-f", "--force", help="Force removal of the image")] = False,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Do not delete untagged parents")] = False,
) -> int:
    """Remove one or more images."""

    async def remove(client: Client, ref: str) -> None:
        try:
            done = await client.images.remove(ref, force=force, prune=not no_prune)
        except NotFound:
            if not force:
                raise
            return
        for step in done:
            print(f"Untagged: {step.untagged}" if step.untagged else f"Deleted: {step.deleted}", flush=True)

    return session.call_each(images, remove, show=False)
