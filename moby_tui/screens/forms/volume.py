"""What the form for a new volume says: the request, and the command line that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from moby_tui.schema.volume import VolumeCreate

#: The fields' texts, by id.
Written = Mapping[str, str]


def request(written: Written) -> VolumeCreate:
    """The volume that is asked for. Raises ``ValueError`` for an option without a value, or an open quotation."""
    return VolumeCreate(
        name=written["name"],
        driver=written["driver"] or "local",
        driver_opts=dict(_pairs(written["options"], needs_value=True)) or None,
        labels=dict(_pairs(written["labels"], needs_value=False)) or None,
    )


def _pairs(said: str, *, needs_value: bool) -> list[tuple[str, str]]:
    pairs = []
    for word in shlex.split(said):
        key, equals, value = word.partition("=")
        if not key or (needs_value and not equals):
            raise ValueError(f"{word} is no option: write KEY=value")
        pairs.append((key, value))
    return pairs


def check(written: Written) -> str:
    """What is wrong with the form in one line, or nothing."""
    try:
        request(written)
    except ValueError as error:
        return str(error).lower() if str(error).startswith("No ") else str(error)
    return ""


def line(written: Written) -> str:
    """``moby volume create -o size=10g data``; empty while a quotation is open."""
    try:
        asked = request(written)
    except ValueError:
        return ""
    words = ["moby", "volume", "create"]
    if asked.driver != "local":
        words += ["--driver", asked.driver]
    for option, pairs in (("-o", asked.driver_opts), ("--label", asked.labels)):
        for key, value in (pairs or {}).items():
            words += [option, f"{key}={value}"]
    return shlex.join([*words, *([asked.name] if asked.name else [])])
