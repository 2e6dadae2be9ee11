"""Images in the API's shapes, and the filters of a list."""

from __future__ import annotations

import fnmatch
import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from moby_tui.engine.resources.images.manifest import config_document
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import InvalidArgument
from moby_tui.reference import parse
from moby_tui.schema.base import Filters
from moby_tui.schema.container import ContainerConfig
from moby_tui.schema.image import ImageHistory, ImageInspect, ImageSummary, RootFs

_LIST_FILTERS = frozenset(("before", "dangling", "label", "label!", "reference", "since", "until"))
_PRUNE_FILTERS = frozenset(("dangling", "label", "label!", "until"))
_TRUE, _FALSE = frozenset(("1", "true")), frozenset(("0", "false"))
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = r"[0-9]+(\.[0-9]+)?"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def tags(references: list[str]) -> list[str]:
    """The tags among an image's canonical references, in their short form (``alpine:3``) and in order, as dockerd has them."""
    return [parse(reference).familiar for reference in sorted(references) if "@" not in reference]


def digests(references: list[str]) -> list[str]:
    return [parse(reference).familiar for reference in sorted(references) if "@" in reference]


def labels(record: ImageRecord) -> dict[str, str]:
    return dict(record.config.config.labels or {}) if record.config.config else {}


def created(text: str | None) -> int:
    """Unix seconds of an RFC 3339 time; 0 if there is none or none that can be read."""
    return math.floor(_moment(text))


def _moment(text: str | None) -> float:
    """The same with the fraction: images are made within a millisecond."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


def summary(record: ImageRecord, references: list[str], containers: int) -> ImageSummary:
    return ImageSummary(
        id=record.id,
        repo_tags=tags(references),
        repo_digests=digests(references),
        created=created(record.config.created),
        size=record.size,
        labels=labels(record) or None,
        containers=containers,
    )


def inspection(record: ImageRecord, references: list[str], config_body: bytes) -> ImageInspect:
    """The answer of ``inspect``. Reads the configuration from its blob, which has more than the database row."""
    document: Any = config_document(config_body)
    config = document.get("config", {})
    return ImageInspect(
        id=record.id,
        repo_tags=tags(references),
        repo_digests=digests(references),
        comment=record.config.comment or (record.config.history[-1].comment if record.config.history else ""),
        created=record.config.created or "",
        author=record.config.author,
        container=_text(document, "container"),
        docker_version=_text(document, "docker_version"),
        config=msgspec.convert(config, ContainerConfig),
        architecture=record.config.architecture,
        variant=record.config.variant,
        os=record.config.os,
        size=record.size,
        root_fs=RootFs(layers=record.config.rootfs.diff_ids),
    )


def _text(document: Any, name: str) -> str:
    """A field of a configuration that the specification does not have: any value may be there."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def history(record: ImageRecord, references: list[str]) -> list[ImageHistory]:
    """The steps of ``history``, newest first. Only the first has an id: the others were never images of this engine."""
    sizes = iter(record.layer_sizes)
    steps = [
        ImageHistory(
            id="<missing>",
            created=created(entry.created),
            created_by=entry.created_by,
            size=0 if entry.empty_layer else next(sizes, 0),
            comment=entry.comment,
        )
        for entry in record.config.history
    ]
    steps.reverse()
    if steps:
        steps[0].id, steps[0].tags = record.id, tags(references) or None
    return steps


def flag(filters: Filters | None, key: str, default: bool | None) -> bool | None:
    values = (filters or {}).get(key) or []
    if not values:
        return default
    is_true, is_false = not _TRUE.isdisjoint(values), not _FALSE.isdisjoint(values)
    if is_true == is_false:
        raise InvalidArgument(f"invalid filter '{key}=[{' '.join(values)}]'")
    return is_true


def check_list_filters(filters: Filters | None) -> None:
    _check_keys(filters, _LIST_FILTERS)


def check_prune_filters(filters: Filters | None) -> None:
    _check_keys(filters, _PRUNE_FILTERS)


def _check_keys(filters: Filters | None, known: frozenset[str]) -> None:
    for key in filters or {}:
        if key not in known:
            raise InvalidArgument(f"invalid filter '{key}'")
    for until in (filters or {}).get("until", ()):
        timestamp(until)


def matches(
    record: ImageRecord,
    references: list[str],
    filters: Filters | None,
    find: Callable[[str], ImageRecord],
    *,
    dangling: bool | None,
) -> bool:
    """Whether an image passes a list's or prune's filters; ``find`` answers for ``before`` and ``since``."""
    given = filters or {}
    moment = _moment(record.config.created)
    own = labels(record)
    return (
        (dangling is None or dangling == (not tags(references)))
        and all(_has_label(own, wanted) for wanted in given.get("label", ()))
        and not any(_has_label(own, unwanted) for unwanted in given.get("label!", ()))
        and all(moment < timestamp(until) for until in given.get("until", ()))
        and all(moment < _moment(find(before).config.created) for before in given.get("before", ()))
        and all(moment > _moment(find(since).config.created) for since in given.get("since", ()))
        and (not given.get("reference") or bool(named(references, given)))
    )


def _has_label(own: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in own and (not equals or own[key] == value)


def named(references: list[str], filters: Filters | None) -> list[str]:
    """The references that match a list's ``reference`` filter. The list shows an image with these only."""
    patterns = (filters or {}).get("reference", [])
    return [reference for reference in references if _fits(reference, patterns)] if patterns else references


def _fits(reference: str, patterns: list[str]) -> bool:
    """Globs on familiar names, with or without the tag."""
    names = (parse(reference).familiar, parse(reference).familiar_repository)
    return any(
        fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for name in names for pattern in patterns
    )


def shared(record: ImageRecord, records: list[ImageRecord]) -> int:
    """Bytes of the layers that at least one other image uses too."""
    others = {layer for other in records if other.id != record.id for layer in other.config.rootfs.diff_ids}
    sizes = zip(record.config.rootfs.diff_ids, record.layer_sizes, strict=True)
    return sum(size for layer, size in sizes if layer in others)


def timestamp(text: str) -> float:
    """Unix seconds, RFC 3339, or a Go duration back from now. Raises ``InvalidArgument``."""
    if re.fullmatch(_SECONDS, text):
        return float(text)
    duration = text.removeprefix("-")
    if duration and not _DURATION.sub("", duration):
        back = sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(duration))
        return time.time() + (back if text.startswith("-") else -back)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(f'failed to parse value as time or duration: "{text}"') from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def now() -> str:
    """The current time in the form of an image's ``created``."""
    return rfc3339(time.time())


def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339 text in UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
