"""docker-py against our daemon: every answer is the one that dockerd 28.5.2 has given, field by field."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients import docker_py_steps

#: Where this engine means to answer otherwise, and why; the key is the beginning of what ``flat`` makes of a place.
OTHERWISE: dict[str, str] = {
    "a build[4]": "an image's history names the whole destination of COPY, and ports with their protocol",
    "execs[2]": "HOME stands before what an exec adds to the environment",
    "failures of a run[5]": "a container that is missing is 404; dockerd has 500",
    "logs[2]": "the last line of what was asked for; dockerd has the last line of both streams, if it is of the stream that was asked for",
    "logs[6]": "the same",
    "refusals of containers[11]": "a container that is not paused is 409; dockerd has 500",
}


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


async def test_every_answer_is_dockerds(served_alone: Path) -> None:
    recorded = dict(flat(json.loads(docker_py_steps.RECORDED.read_text())))
    answers = await asyncio.to_thread(docker_py_steps.take, served_alone)
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    ours = dict(flat(answers))
    different = {
        place: {"dockerd": recorded.get(place, "absent"), "moby": ours.get(place, "absent")}
        for place in sorted(recorded.keys() | ours.keys())
        if recorded.get(place, "absent") != ours.get(place, "absent")
    }
    assert {place: both for place, both in different.items() if not place.startswith(tuple(OTHERWISE))} == {}
    assert [place for place in OTHERWISE if not any(other.startswith(place) for other in different)] == []
