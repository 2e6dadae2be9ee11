"""Builds that buildx 0.29 asks us for, beside those that it asked dockerd 28.5.2 for: steps, output, errors, images, files."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buildkit import builds
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine

#: Fields of cases in which this engine means to answer otherwise, and why.
OTHERWISE = {
    ("a mount of no kind", "steps"): "a mount is read when its step begins",
    ("a port out of range", "steps"): "a port is read when its step begins",
    ("a signal that is none", "steps"): "a signal is read when its step begins",
    ("checks that fail the build", "steps"): "the checks come before the base image is looked for",
    ("the host's network without leave", "steps"): "what a step may do is looked at when it begins",
    ("the host's network without leave", "error"): "the same; and it says what to do",
    ("a stage of itself", "steps"): "a named context has its own name in FROM",
    ("a stage of itself", "error"): "another client of registries has other words",
    ("an image as a named context", "steps"): "a named context has its own name in FROM",
    ("here-documents", "steps"): "a document is no step of its own",
    ("an unknown flag", "error"): "the flag's instruction is named",
    ("a document without an end", "error"): "the line that begins it is shown, and its end is named",
    ("three words after FROM", "error"): "it says how to write it",
    ("an agent that is required", "error"): "it says how to forward one",
    ("an empty Dockerfile", "error"): "there is no line to show",
    ("a base without a name", "steps"): "the base's name is read after the ignore file",
    ("mounts of a run", "steps"): "an image that is mounted has no step of its own",
}


@pytest.fixture
async def socket(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[Path]:
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        yield tmp_path / "s"


async def test_every_build_is_dockerds(socket: Path, tmp_path: Path) -> None:
    if not builds.program():
        pytest.skip("there is no docker buildx here: it belongs into ~/.docker/cli-plugins")
    recorded = json.loads(builds.RECORDED.read_text())
    answers = await asyncio.to_thread(builds.take, socket, tmp_path)
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1) + "\n")
    different = {
        f"{name}: {field}": {"dockerd": recorded[name].get(field), "moby": answer.get(field)}
        for name, answer in answers.items()
        for field in recorded[name].keys() | answer.keys()
        if (name, field) not in OTHERWISE and not _agree(recorded[name].get(field), answer.get(field))
    }
    assert different == {}
    assert answers.keys() == recorded.keys()


def _agree(theirs: Any, ours: Any) -> bool:
    """True if they are the same; our error may go on to say what to do."""
    if isinstance(theirs, list) and isinstance(ours, list) and theirs and ours and theirs[-1].startswith("ERROR: "):
        *lines, last = ours
        return lines == theirs[:-1] and (last == theirs[-1] or last.startswith(f"{theirs[-1]}; "))
    return bool(theirs == ours)
