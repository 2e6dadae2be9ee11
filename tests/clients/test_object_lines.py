"""The command line under the name ``docker``, about objects that are no containers: status, output and reasons as docker 28.5.2's."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import differing, object_lines
from clients.command_lines import Answers, Family, Step, comparable
from moby_tui.cli import app

Run = Callable[[Step], tuple[int, str, str]]

RECORDED = json.loads(object_lines.RECORDED.read_text())
#: What stands before a reason; ``container_lines`` has which of them stands before which.
_BEGINNINGS = ("docker: ", "Error response from daemon: ")


@pytest.fixture
def run(
    roots: tuple[Path, Path], busybox: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Runs the line of a step in this process, under the name docker, in a folder of its own."""
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/docker"])
    monkeypatch.setenv("MOBY_DATA_ROOT", str(roots[0]))
    monkeypatch.setenv("MOBY_EXEC_ROOT", str(roots[1]))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "configuration"))
    monkeypatch.chdir(tmp_path)

    def answer(step: Step) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(step.stdin.encode())))
        capfd.readouterr()
        status = app.run(shlex.split(step.line))
        return status, *capfd.readouterr()

    return answer


@pytest.mark.parametrize("family", object_lines.FAMILIES, ids=lambda family: family.name)
def test_each_line_is_answered_as_by_docker(family: Family, run: Run, tmp_path: Path) -> None:
    answers: Answers = {}
    for step in family.declared():
        number = sum(name == step.name or name.startswith(f"{step.name} (") for name in answers)
        status, output, error = run(step)
        name = step.name if not number else f"{step.name} ({number + 1})"
        answers[name] = {
            "status": status,
            "stderr": comparable(error, tmp_path),
            "stdout": comparable(output, tmp_path),
        }
    differing.compare(_reasons(RECORDED[family.name]), _reasons(answers), object_lines.OTHERWISE.get(family.name, {}))


def _reasons(answers: Answers) -> Answers:
    """The answers with the first line of each error alone, without what stands before the reason."""
    return {
        line: {**answer, "stdout": _one_name(answer["stdout"]), "stderr": _one_name(_reason(answer["stderr"]))}
        for line, answer in answers.items()
    }


def _one_name(text: str) -> str:
    """The text with one name for short and whole ids, which makes columns narrower."""
    return re.sub(" {3,}", "   ", re.sub(r"\b(ID|SHORT)\b", "ID", text))


def _reason(text: str) -> str:
    reason = next((line for line in text.split("\n") if line and not line.startswith("Warning: DOCKER_HOST")), "")
    for beginning in _BEGINNINGS:
        reason = reason.removeprefix(beginning)
    return reason
