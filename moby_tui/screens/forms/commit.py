"""The form that makes an image of a container."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from moby_tui.errors import InvalidArgument
from moby_tui.reference import parse
from moby_tui.screens.forms.form import Form, Written


@dataclass(frozen=True, slots=True)
class Commit:
    """``changes`` are instructions of a Dockerfile. The container is paused meanwhile if ``pause`` is true."""

    reference: str
    message: str
    author: str
    changes: tuple[str, ...]
    pause: bool


def commit_form(container: str) -> Form[Commit]:
    """The form for the container of this name."""
    return Form(_request, lambda commit: _words(commit, container))


def _request(written: Written) -> Commit:
    """The image that is asked for. Raises ``ValueError`` for a name that an image cannot have, and for what is no instruction."""
    if reference := written["reference"]:
        _check_name(reference)
    return Commit(
        reference=reference,
        message=written["message"],
        author=written["author"],
        changes=tuple(_instructions(written["changes"])),
        pause=written["pause"] == "yes",
    )


def _check_name(name: str) -> None:
    try:
        reference = parse(name)
    except InvalidArgument as error:
        raise ValueError(str(error)) from error
    if reference.digest:
        raise ValueError("an image's digest follows from its content: write NAME or NAME:TAG")


def _instructions(written: str) -> Sequence[str]:
    try:
        instructions = shlex.split(written)
    except ValueError as error:
        raise ValueError(str(error).lower()) from None
    for instruction in instructions:
        if len(instruction.split()) < 2:
            raise ValueError(f"{instruction} is no instruction: write each in quotation marks, as 'ENV MODE=fast'")
    return instructions


def _words(commit: Commit, container: str) -> list[str]:
    """``moby commit --message patched --change 'ENV MODE=fast' web web:patched``."""
    words = ["moby", "commit"]
    for option, value in (("--message", commit.message), ("--author", commit.author)):
        words += [option, value] if value else []
    for instruction in commit.changes:
        words += ["--change", instruction]
    words += [] if commit.pause else ["--pause=false"]
    return [*words, container, *([commit.reference] if commit.reference else [])]
