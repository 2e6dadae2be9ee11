"""Commands of the person's own, from the preferences: a program with fields of the row under the cursor and answers to questions.

``{name}``, ``{id}``, ``{image}`` and the other fields of the row, ``{prompt:What}`` a question, ``{choice:a|b|c}`` one of these. The
line is cut into words before anything is put in, and no shell reads it: what a container is called cannot become a command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_PLACEHOLDER = re.compile(r"\{(prompt|choice):([^{}]*)\}|\{([a-z_]+)\}")


class UserCommand(msgspec.Struct, omit_defaults=True):
    """``name`` is its word in the prompt; ``page`` where it is offered; ``terminal``: the program gets the whole terminal.

    ``confirm``: it is asked before.
    """

    name: str
    run: str
    title: str = ""
    key: str = ""
    page: str = "containers"
    terminal: bool = False
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a command. ``choices`` is empty if anything may be answered."""

    text: str
    choices: tuple[str, ...] = ()


def questions(command: UserCommand) -> list[Asked]:
    """What the command asks, each question once."""
    by_text: dict[str, Asked] = {}
    for kind, text, _ in _PLACEHOLDER.findall(command.run):
        if kind:
            by_text.setdefault(text, Asked(text, tuple(text.split("|")) if kind == "choice" else ()))
    return list(by_text.values())


def words(command: UserCommand, fields: Mapping[str, str], answers: Mapping[str, str]) -> list[str]:
    """The program and its arguments. Raises ``ValueError`` for an open quotation and for a field that the row does not have."""

    def put(match: re.Match[str]) -> str:
        if match[1]:
            return answers[match[2]]
        if match[3] not in fields:
            raise ValueError(f"the command {command.name} wants {{{match[3]}}}; there is {', '.join(sorted(fields)) or 'no row'}")
        return fields[match[3]]

    parts = [_PLACEHOLDER.sub(put, word) for word in _split(command)]
    if not parts:
        raise ValueError(f"the command {command.name} runs nothing; give it a program in the preferences")
    return parts


def _split(command: UserCommand) -> list[str]:
    """The words of the line; spaces within a placeholder do not part them."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    split = shlex.split(_PLACEHOLDER.sub(hold, command.run))
    return [re.sub("\0(\\d+)\0", lambda match: held[int(match[1])], word) for word in split]
