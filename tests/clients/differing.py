"""Answers to a client beside those that dockerd has given, field by field."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON value with their places: ``name[0].Field``."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from flat(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from flat(item, f"{place}[{number}]")
    else:
        yield place, value


def check(recorded: Path, answers: Any, otherwise: Mapping[str, str]) -> None:
    """Fails for a field that differs from the recorded one, and for a place in ``otherwise`` where none does.

    ``otherwise`` has the reason by the beginning of a place. The file that ``MOBY_ANSWERS`` names gets the answers.
    """
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    compare(json.loads(recorded.read_text()), answers, otherwise)


def compare(recorded: Any, answers: Any, otherwise: Mapping[str, str]) -> None:
    """As ``check``, of values."""
    theirs, ours = dict(flat(recorded)), dict(flat(answers))
    different = {
        place: {"dockerd": theirs.get(place, "absent"), "moby": ours.get(place, "absent")}
        for place in sorted(theirs.keys() | ours.keys())
        if theirs.get(place, "absent") != ours.get(place, "absent")
    }
    wrong = {place: both for place, both in different.items() if not place.startswith(tuple(otherwise))}
    assert not wrong, wrong
    superfluous = [place for place in otherwise if not any(other.startswith(place) for other in different)]
    assert not superfluous, superfluous
