"""Images in the store: images, history, tag, rmi."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.declare import Options
    from moby_tui.cli.table.images import ImageHistoryOptions, ImageLsOptions, ImageRmOptions
    from moby_tui.schema.base import Filters
    from moby_tui.schema.image import ImageHistory, ImageSummary


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
#: What names an image, and is no reference.
_ID = "(sha256:)?[0-9a-f]+"
_HISTORY = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
    "CreatedAt": "CREATED AT",
}


def images(options: ImageLsOptions, repository: str) -> None:
    """``moby images``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters([*(options.filter), *([f"reference={repository}"] if repository else [])])
    if options.tree:
        _show_tree(
            filters,
            all=options.all,
            whole=options.no_trunc,
            others={"--quiet": options.quiet, "--digests": options.digests, "--format": bool(options.format)},
        )
        return
    summaries = session.call(lambda client: client.images.list(all=options.all, digests=options.digests, filters=filters))
    rows = [row for image in summaries for row in _rows(image, truncate=not options.no_trunc, digests=options.digests)]
    shown = ("Repository", "Tag", *(["Digest"] if options.digests else []), "ID", "CreatedSince", "Size")
    lines = (
        [row["ID"] for row in rows]
        if options.quiet and not options.format
        else formatted(options.format, _HEADINGS, shown, rows, kind="*formatter.imageContext", raw=_raw(options))
    )
    for line in lines:
        print(line)


def _raw(options: ImageLsOptions) -> dict[str, str]:
    """The fields of ``--format raw``."""
    if options.quiet:
        return {"image_id": "ID"}
    digest = {"digest": "Digest"} if options.digests else {}
    return {
        **{"repository": "Repository", "tag": "Tag"},
        **digest,
        **{"image_id": "ID", "created_at": "CreatedAt", "virtual_size": "Size"},
    }


def _show_tree(filters: Filters, *, all: bool, whole: bool, others: dict[str, bool]) -> None:
    for name, given in others.items():
        if given:
            raise InvalidArgument(f"{name} and --tree contradict each other: give one")
    from moby_tui.cli.output.images import tree

    summaries = session.call(lambda client: client.images.list(all=all, filters=filters, manifests=True))
    print(*tree(summaries, whole_ids=whole), sep="\n")


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
            "SharedSize": "N/A" if image.shared_size < 0 else human_size(image.shared_size),
            "UniqueSize": "N/A" if image.shared_size < 0 else human_size(image.size - image.shared_size),
            "VirtualSize": human_size(image.size),
        }
        for repository, tag, digest in names or [("<none>", "<none>", "<none>")]
    ]


def _digest_of(image: ImageSummary, repository: str) -> str:
    return next((digest.partition("@")[2] for digest in image.repo_digests if digest.partition("@")[0] == repository), "<none>")


def history(options: ImageHistoryOptions, image: str) -> None:
    """``moby history``."""
    from moby_tui.cli.output.table import formatted

    entries = session.call(lambda client: client.images.history(image, platform=options.platform))
    rows = [_history_row(entry, human=options.human, truncate=not options.no_trunc) for entry in entries]
    shown = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
    for line in (
        [row["ID"] for row in rows]
        if options.quiet and not options.format
        else formatted(options.format, _HISTORY, shown, rows, kind="*image.historyContext")
    ):
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


def tag(options: Options, source: str, target: str) -> None:
    """``moby tag``."""
    from moby_tui.reference import parse

    for name in (source, target):
        try:
            parse(name)
        except InvalidArgument as error:
            if not (name == source and re.fullmatch(_ID, name)):
                raise InvalidArgument(
                    f'Error parsing reference: "{name}" is not a valid repository/tag: {error.message}'
                ) from None
    session.call(lambda client: client.images.tag(source, target))


def rmi(options: ImageRmOptions, images: list[str]) -> int:
    """``moby rmi``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(
            images, lambda look, ref: look.image(ref, force=options.force, platforms=options.platform), missing_ok=options.force
        )

    async def remove(client: Client, ref: str) -> None:
        try:
            done = await client.images.remove(ref, force=options.force, prune=not options.no_prune, platforms=options.platform)
        except NotFound as error:
            if not options.force:
                raise
            session.tell(error)
            return
        for step in done:
            print(f"Untagged: {step.untagged}" if step.untagged else f"Deleted: {step.deleted}", flush=True)

    return session.call_each(images, remove, show=False)
