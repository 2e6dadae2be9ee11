"""docker-py against our daemon: every answer is the one that dockerd 28.5.2 has given, field by field."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clients import differing, docker_py_steps

#: Where this engine means to answer otherwise, and why; the key is the beginning of a place, as ``differing`` names it.
OTHERWISE: dict[str, str] = {
    "a build[4]": "an image's history names the whole destination of COPY, and ports with their protocol",
    "execs[2]": "HOME stands before what an exec adds to the environment",
    "failures of a run[5]": "a container that is missing is 404; dockerd has 500",
    "logs[2]": "the last line of what was asked for; dockerd has the last line of both streams, if it is of the stream that was asked for",
    "logs[6]": "the same",
    "refusals of containers[11]": "a container that is not paused is 409; dockerd has 500",
}


async def test_every_answer_is_dockerds(served_alone: Path) -> None:
    answers = await asyncio.to_thread(docker_py_steps.take, served_alone)
    differing.check(docker_py_steps.RECORDED, answers, OTHERWISE)
