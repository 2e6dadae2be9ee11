"""Where and how each parameter of an operation travels, which follows from its name, its type and what the declaration says of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from inspect import Parameter as Python
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from moby_tui.api.operations.fields import REQUIRED, Field, Kind, Place
from moby_tui.schema.base import Filters
from moby_tui.schema.image import RegistryAuth

#: A variable of a path, and the expression of what it matches.
VARIABLE = re.compile(r"\{(\w+)(?::([^}]*))?\}")
#: What a member of options is if the query says nothing of it.
_UNSAID: dict[Kind, Any] = {"flag": False, "timestamp": 0.0, "tail": None}
_SCALARS: dict[Any, Kind] = {bool: "flag", int: "integer", str: "text", float: "moment"}


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an operation's method, or a field that its handler alone reads (not ``own``): where and how it travels.

    ``default`` is what a request means that does not have it.
    """

    name: str
    wire: str
    place: Place
    kind: Kind
    type: Any
    default: Any
    since: str
    keys: frozenset[str]
    own: bool = True

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


def of_a_method(
    path: str, named: Mapping[str, Python], types: Mapping[str, Any], declared: Sequence[Field], *, together: bool
) -> tuple[Parameter, ...]:
    """Those of a client's method, in its order; behind them what only the server reads.

    ``together``: those that neither path nor query have are members of the body. Raises ``TypeError`` for a declaration that does not
    fit the method.
    """
    variables = {match[1] for match in VARIABLE.finditer(path)}
    own = {one.parameter: one for one in declared if one.parameter and "." not in one.parameter}
    if unknown := (own.keys() | variables) - named.keys():
        raise TypeError(f"{path}: no parameter {min(unknown)!r}")
    placed: list[Parameter] = []
    for name, python in named.items():
        if options := [one for one in declared if one.parameter.startswith(f"{name}.")]:
            placed += map(_option, options)
            continue
        field = own.get(name) or Field(name, name)
        place = field.place or ("path" if name in variables else "member" if together else _place(name, types[name]))
        kind = field.kind or (_kind(path, name, types[name]) if place == "query" else "text")
        default = python.default if field.default is REQUIRED else field.default
        placed.append(Parameter(name, field.wire, place, kind, types[name], default, field.since, field.keys))
    return (*placed, *_extras(declared))


def of_a_route(path: str, declared: Sequence[Field]) -> tuple[Parameter, ...]:
    """Those of an operation that is no method of the client."""
    variables = [match[1] for match in VARIABLE.finditer(path)]
    placed = [Parameter(name, name, "path", "text", str, REQUIRED, "", frozenset()) for name in variables]
    return (*placed, *(_option(one) for one in declared if "." in one.parameter), *_extras(declared))


def _extras(declared: Sequence[Field]) -> list[Parameter]:
    return [
        Parameter(one.wire, one.wire, "query", one.kind or "text", None, one.default, one.since, one.keys, own=False)
        for one in declared
        if not one.parameter
    ]


def _option(declared: Field) -> Parameter:
    kind = declared.kind or "text"
    return Parameter(declared.parameter, declared.wire, "query", kind, None, _UNSAID.get(kind, ""), "", frozenset())


def _place(name: str, kind: Any) -> Place:
    kind = _without_none(kind)
    if name == "auth" and kind is RegistryAuth:
        return "auth"
    if get_origin(kind) is AsyncIterator:
        return "upload"
    return "body" if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else "query"


def _kind(path: str, name: str, kind: Any) -> Kind:
    kind = _without_none(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == Filters:
        return "filters"
    if get_origin(kind) in (list, Sequence) and get_args(kind) == (str,):
        return "texts"
    raise TypeError(f"{path}: say what {name!r} is on the wire")


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not NoneType]
        return rest[0] if len(rest) == 1 else kind
    return kind
