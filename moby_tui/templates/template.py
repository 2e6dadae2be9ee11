"""A template: parsed once, executed on any number of values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moby_tui.templates.builtins import BUILTINS
from moby_tui.templates.execution import Execution
from moby_tui.templates.functions import Function
from moby_tui.templates.parser import parse


class Template:
    """Raises ``TemplateError`` if it cannot be parsed. ``functions`` are known beside Go's own."""

    def __init__(self, text: str, *, name: str = "", functions: Mapping[str, Function] | None = None) -> None:
        self._name, self._text = name, text
        self._functions = {**BUILTINS, **(functions or {})}
        self._trees = parse(name, text, self._functions)

    def execute(self, value: Any, *, strict: bool = False, functions: Mapping[str, Function] | None = None) -> str:
        """What it writes of a value. ``strict``: a key that a map lacks is an error. ``functions`` stand in for those of the same names."""
        known = {**self._functions, **(functions or {})}
        return Execution(self._name, self._text, self._trees, known, strict=strict).run(value)
