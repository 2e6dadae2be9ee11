"""The tree of images and their platforms, as ``docker images --tree`` has it."""

from __future__ import annotations

from collections.abc import Sequence

from moby_tui.cli.output.table import align
from moby_tui.cli.output.text import printable, short_id
from moby_tui.cli.values.units import human_size
from moby_tui.schema.image import ImageSummary, ManifestSummary

_HEADINGS = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "IN USE")


def tree(images: Sequence[ImageSummary], *, whole_ids: bool) -> list[str]:
    """A line for each image and, below, one for each platform of it; a platform that is not here is marked."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for image in images:
        variants = [one for one in image.manifests or () if one.kind == "image"]
        attested = {one.attestation_data.subject for one in image.manifests or () if one.attestation_data}
        content = sum(one.size.content for one in variants)
        size = sum(one.size.total for one in variants) or image.size
        used = image.containers > 0 or any(one.image_data and one.image_data.containers for one in variants)
        names = image.repo_tags or ["<untagged>"]
        rows.append((names[0], _id(image.id, whole_ids), _size(size), _size(content), _mark(used)))
        rows += [(name, "", "", "", "") for name in names[1:]]
        for variant in variants:
            rows.append(_variant_row(variant, last=variant is variants[-1], attested=attested, whole_ids=whole_ids))
    return [line.rstrip() for line in align(rows)]


def _variant_row(variant: ManifestSummary, *, last: bool, attested: set[str], whole_ids: bool) -> tuple[str, ...]:
    assert variant.image_data
    platform = variant.image_data.platform
    name = "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))
    notes = [note for note, applies in (("attested", variant.id in attested), ("not here", not variant.available)) if applies]
    label = f"{'└─' if last else '├─'} {printable(name)}" + (f" ({', '.join(notes)})" if notes else "")
    sizes = (_size(variant.size.total), _size(variant.size.content)) if variant.available else ("-", "-")
    return (label, _id(variant.id, whole_ids), *sizes, _mark(bool(variant.image_data.containers)))


def _id(digest: str, whole: bool) -> str:
    return digest if whole else short_id(digest)


def _size(size: int) -> str:
    return human_size(size, 3)


def _mark(used: bool) -> str:
    return "✔" if used else ""
