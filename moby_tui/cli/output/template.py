"""The part of Go's text/template that ``--format`` is mostly used with: fields, and their JSON.

``{{.Name}}``, ``{{.State.Status}}``, ``{{.}}``, ``{{json .}}`` and ``{{json .Config.Env}}``, with ``{{-`` and ``-}}``.
Everything else is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moby_tui.errors import InvalidArgument, NotImplementedYet

_ACTION = re.compile(r"(\s*)\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}(\s*)", re.DOTALL)
_PATH = re.compile(r"\.|(?:\.\w+)+")
_ESCAPES = {"\\t": "\t", "\\n": "\n"}


def compact_json(value: object) -> str:
    """As Go's encoder writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _go_text(value: object) -> str:
    """A value as Go prints it with ``%v``."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + " ".join(_go_text(item) for item in value) + "]"
    return str(value)


@dataclass(frozen=True)
class _Action:
    path: tuple[str, ...]
    as_json: bool

    def render(self, value: object) -> str:
        for name in self.path:
            if value is None:
                break
            if not isinstance(value, Mapping) or name not in value:
                raise InvalidArgument(f"template: no field {name!r} here; " + _fields_of(value))
            value = value[name]
        return compact_json(value) if self.as_json else _go_text(value)


def _fields_of(value: object) -> str:
    if isinstance(value, Mapping):
        return "there are " + ", ".join(map(str, value))
    return f"it is {_go_text(value)!r}"


def _parse_action(text: str) -> _Action:
    function, _, argument = text.partition(" ")
    as_json = function == "json"
    path = argument.strip() if as_json else text
    if _PATH.fullmatch(path):
        return _Action(tuple(name for name in path.split(".") if name), as_json)
    if not text:
        raise InvalidArgument("template: {{}} is empty; name a field, as in {{.ID}}")
    raise NotImplementedYet(f"template function {function if not function.startswith('.') else text}")


class Template:
    """A parsed template. Raises ``InvalidArgument`` where it is malformed, ``NotImplementedYet`` for more than fields."""

    def __init__(self, text: str) -> None:
        for escape, character in _ESCAPES.items():
            text = text.replace(escape, character)
        self._parts: list[str | _Action] = []
        position = 0
        for match in _ACTION.finditer(text):
            before, trim_before, action, trim_after, after = match.groups()
            self._literal(text[position : match.start()] + ("" if trim_before else before))
            self._parts.append(_parse_action(action))
            position = match.end() if trim_after else match.end() - len(after)
        self._literal(text[position:])

    def _literal(self, text: str) -> None:
        if "{{" in text or "}}" in text:
            raise InvalidArgument("template: braces are not closed; write a field as {{.ID}}")
        if text:
            self._parts.append(text)

    def render(self, value: object) -> str:
        return "".join(part if isinstance(part, str) else part.render(value) for part in self._parts)
