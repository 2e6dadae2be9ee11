"""The command line under the name ``docker``, about containers: each line is answered as docker 28.5.2 and its daemon answer it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clients import container_lines, container_state_lines, differing
from clients.command_lines import Family, take

_MODULES = (container_lines, container_state_lines)


def _otherwise(module: ModuleType, family: Family) -> dict[str, str]:
    """The reasons for a family's differences; of one in parts, those that are about a line of this part."""
    whole = module.OTHERWISE.get(family.name.partition(", part")[0]) or {}
    lines = [step.name for step in family.declared()]
    own = {place: reason for place, reason in whole.items() if any(line.startswith(place) for line in lines)}
    return own if family.name.partition(", part")[1] and whole else module.OTHERWISE.get(family.name, {})


@pytest.fixture(scope="module")
def recorded() -> Mapping[str, Any]:
    """Docker's answers by family."""
    return {name: answers for module in _MODULES for name, answers in json.loads(module.RECORDED.read_text()).items()}


@pytest.mark.parametrize(
    ("family", "otherwise", "door"),
    [
        pytest.param(family, _otherwise(module, family), door, id=f"{family.name}, {door}")
        for module in _MODULES
        for family in module.FAMILIES
        for door in family.doors
    ],
)
def test_each_line_is_answered_as_by_docker(
    family: Family,
    otherwise: Mapping[str, str],
    door: str,
    recorded: Mapping[str, Any],
    named_docker: Path,
    environment_of: Callable[[str], dict[str, str]],
    namespace: int,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "lines"
    folder.mkdir()
    docker = ["nsenter", "--net", "--target", str(namespace), str(named_docker)]
    environment = environment_of(door)
    try:
        answers = take(docker, environment, folder, family)
    finally:
        _remove_containers(docker, environment)
    alone = container_lines.OWN_HELP | container_lines.DOCKERS_HELP
    ours = {name: _without(answer, alone) for name, answer in answers.items()}
    dockers = {name: _without(answer, alone) for name, answer in recorded[family.name].items()}
    differing.compare(dockers, ours, otherwise)


def _remove_containers(docker: Sequence[str], environment: Mapping[str, str]) -> None:
    def ask(*words: str) -> str:
        done = subprocess.run([*docker, *words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
        return done.stdout

    if containers := ask("ps", "-aq").split():
        ask("rm", "-fv", *containers)


def _without(answer: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """A page of help without entries and paragraphs, and without the sections that are empty then; other answers as they are."""
    page: dict[str, Any] = {}
    for heading, entries in answer.items():
        if isinstance(entries, dict):
            if left := {name: shown for name, shown in entries.items() if name not in names}:
                page[heading] = left
        elif isinstance(entries, list):
            page[heading] = [text for text in entries if text not in names]
        else:
            page[heading] = entries
    return page


def test_options_stand_in_two_columns(named_docker: Path, tmp_path: Path) -> None:
    """Wrapped at the terminal's width or 80, as docker's pages are."""
    folder = tmp_path / "lines"
    folder.mkdir()
    answers = take([str(named_docker)], {}, folder, Family("page", ["stop --help"]))
    assert answers["stop --help"]["stdout"] == (
        "Usage:  docker stop [OPTIONS] CONTAINER [CONTAINER...]\n\n"
        "Stop one or more running containers\n\n"
        "Aliases:\n  docker container stop, docker stop\n\n"
        "Options:\n"
        "  -s, --signal string   Signal to send to the container\n"
        "  -t, --timeout int     Seconds to wait before killing the container\n"
    )
