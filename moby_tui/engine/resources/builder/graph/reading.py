"""What of a Dockerfile is checked as soon as it is read: the forms of its instructions, the names and numbers of its stages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.engine.resources.builder.graph.stages import sources
from moby_tui.engine.resources.builder.step import StepFailed
from moby_tui.engine.resources.dockerfile import forms
from moby_tui.engine.resources.dockerfile.parser import Dockerfile, Instruction, wrong
from moby_tui.errors import InvalidArgument, MobyError

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


def check_forms(dockerfile: Dockerfile) -> None:
    """Raises ``InvalidArgument``; what is found after the text was read has the words "parse error", as in Docker."""
    for instruction in dockerfile.instructions:
        with with_line(instruction):
            forms.check_syntax(instruction, dockerfile.escape)
    for instruction in dockerfile.instructions:
        try:
            forms.check(instruction, dockerfile.escape)
        except InvalidArgument as error:
            if error.line:
                raise
            unreadable = wrong(instruction.line, error.message)
            unreadable.end = instruction.end
            raise unreadable from error


def check_numbers(stages: list[list[Instruction]]) -> None:
    """Raises ``InvalidArgument`` if ``--from=NUMBER`` names no earlier stage: a number is never an image's name."""
    for number, stage in enumerate(stages):
        for instruction in stage:
            for wanted in sources([instruction]) if instruction.name != "FROM" else ():
                if wanted.isdecimal() and int(wanted) >= number:
                    raise wrong(instruction.line, f"invalid from value {wanted[:20]}: no stage before this one has that number")


def stage_name(instruction: Instruction) -> str:
    """The name after AS, in lower case, or none."""
    words = instruction.value.split()
    if len(words) == 1:
        return ""
    if len(words) != 3 or words[1].lower() != "as":
        raise wrong(instruction.line, "FROM requires either one or three arguments: FROM image, or FROM image AS name")
    name = words[2].lower()
    if not _STAGE_NAME.fullmatch(name):
        raise wrong(
            instruction.line,
            f'invalid name for build stage: "{words[2][:80]}", name can\'t start with a number or contain symbols',
        )
    return name


@contextmanager
def with_line(instruction: Instruction) -> Iterator[None]:
    """Adds the line of the Dockerfile to an error. A failed command is reported in Docker's words."""
    try:
        yield
    except MobyError as error:
        if error.line:
            # the error of another stage, for which this one waits
            raise
        error.line, error.end = instruction.line, instruction.end
        if isinstance(error, StepFailed):
            raise
        error.buildkit = error.buildkit or error.message
        error.message = f"{error.message} (Dockerfile line {instruction.line})"
        error.args = (error.message,)
        raise
