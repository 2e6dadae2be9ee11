"""Functions of templates, and the check of their arguments against their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moby_tui.templates.nodes import Literal, Nil, Node
from moby_tui.templates.values import Missing, Time, type_name


class FunctionFailed(Exception):
    """A function has failed; the message says why."""


@dataclass(frozen=True)
class Function:
    """``parameters`` are the kinds of its arguments (``string``, ``int``, or nothing for any), ``rest`` that of all further ones.

    ``stops`` is the truth at which ``and`` and ``or`` look no further.
    """

    call: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    rest: str | None = None
    stops: bool | None = None


def check_type(value: Any, kind: str, written: Node | None) -> str:
    """What is wrong with a value for a parameter of this kind; nothing if it fits."""
    fits = {"string": isinstance(value, str), "int": isinstance(value, int) and not isinstance(value, bool)}.get(kind, True)
    if kind == "time.Time":
        fits = isinstance(value, Time)
    if kind == "[]string":
        fits = isinstance(value, list) and type_name(value) == kind
    if fits:
        return ""
    if isinstance(written, Nil):
        return f"cannot assign nil to {kind}"
    if isinstance(written, Literal):
        return f"expected {'integer' if kind == 'int' else kind}; found {written}"
    if value is None and kind == "[]string":
        return f"wrong type for value; expected {kind}; got interface {{}}"
    if value is None or isinstance(value, Missing):
        return f"invalid value; expected {kind}"
    return f"wrong type for value; expected {kind}; got {type_name(value)}"
