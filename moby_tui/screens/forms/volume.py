"""The form for a new volume."""

from __future__ import annotations

import shlex

from moby_tui.schema.volume import VolumeCreate
from moby_tui.screens.forms.form import Form, Written


def _request(written: Written) -> VolumeCreate:
    """The volume that is asked for. Raises ``ValueError`` for an option without a value, or an open quotation."""
    return VolumeCreate(
        name=written["name"],
        driver=written["driver"] or "local",
        driver_opts=dict(_pairs(written["options"], needs_value=True)) or None,
        labels=dict(_pairs(written["labels"], needs_value=False)) or None,
    )


def _pairs(text: str, *, needs_value: bool) -> list[tuple[str, str]]:
    """The pairs of ``KEY=value``, with quotations as in a shell. Raises ``ValueError``."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(str(error).lower()) from None
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not key or (needs_value and not equals):
            raise ValueError(f"{word} is no option: write KEY=value")
        pairs.append((key, value))
    return pairs


def _words(request: VolumeCreate) -> list[str]:
    """``moby volume create -o size=10g data``."""
    words = ["moby", "volume", "create"]
    if request.driver != "local":
        words += ["--driver", request.driver]
    for option, pairs in (("-o", request.driver_opts), ("--label", request.labels)):
        for key, value in (pairs or {}).items():
            words += [option, f"{key}={value}"]
    return [*words, *([request.name] if request.name else [])]


FORM = Form(_request, _words)
