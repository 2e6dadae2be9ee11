"""What a declaration says of an operation's parameters, beside their names and types."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter
from typing import Any, Final, Literal

import msgspec

#: The forms of a query's field. ``flag``: true or false in any word. ``boolean``: in Go's words alone. ``inverse``: a flag that says the
#: opposite of its parameter. ``count``: a number, of which one below 0 means 0. ``dimension``: of a terminal, in rows or columns. ``path``:
#: in a container; its bytes need not be UTF-8. ``texts``: the field is repeated. ``filters``: JSON of lists of texts. ``any_filters``: the
#: same, of which unknown keys have no effect. ``map``: JSON of texts. ``moment`` and ``timestamp``: Unix seconds or RFC 3339; where there
#: is none, None and 0. ``tail``: a number of lines, None for all. ``platform``: the OCI object as JSON, in Python
#: ``os/architecture/variant``. ``reference``: an image's name in two fields, of which the other is ``tag``.
Kind = Literal[
    "flag",
    "boolean",
    "inverse",
    "integer",
    "count",
    "dimension",
    "text",
    "path",
    "texts",
    "filters",
    "any_filters",
    "map",
    "moment",
    "timestamp",
    "tail",
    "platform",
    "platforms",
    "reference",
]
#: Where a parameter travels: ``member`` is one of several that make up the body, ``upload`` a body of bytes, ``made`` one that each side
#: makes of others.
Place = Literal["path", "query", "body", "member", "upload", "auth", "made"]
#: The default of a parameter that must be there.
REQUIRED: Final = Parameter.empty


class Field(msgspec.Struct, frozen=True):
    """What a parameter's name and type do not say of it; without a parameter, a field of the query that the server alone reads.

    ``wire`` is the name in the query or the body, ``since`` the first version of the API that has it: before, it is not read. ``keys``
    are those that filters may have.
    """

    parameter: str
    wire: str
    kind: Kind | None = None
    since: str = ""
    keys: frozenset[str] = frozenset()
    default: Any = REQUIRED
    place: Place | None = None


def field(
    parameter: str,
    wire: str = "",
    kind: Kind | None = None,
    *,
    since: str = "",
    place: Place | None = None,
    absent: Any = REQUIRED,
) -> Field:
    """A parameter that has another name, form or place on the wire than follows from its name and type.

    ``absent`` is what a request means that does not have it, if that is another value than the default in Python.
    """
    return Field(parameter, wire or parameter, kind, since, default=absent, place=place)


def made(*parameters: str) -> tuple[Field, ...]:
    """Parameters that both sides make of ``extra`` fields, with code of their own."""
    return tuple(Field(name, name, place="made") for name in parameters)


def filters(*keys: str, others: bool = False) -> Field:
    """The parameter ``filters``, and the keys that it may have. ``others``: any other key has no effect; else it is refused."""
    return Field("filters", "filters", "any_filters" if others else "filters", keys=frozenset(keys))


def option(parameter: str, kind: Kind, *, wire: str = "") -> Field:
    """A member of a struct that is a parameter, as a field of the query: ``options.stdin``. One that is absent is not wanted."""
    return Field(parameter, wire or parameter.partition(".")[2], kind)


def extra(wire: str, kind: Kind = "text", *, default: Any = "", since: str = "", keys: Iterable[str] = ()) -> Field:
    """A field of the query that is no parameter of the method: the server's own code reads it. ``keys``: those that filters may have."""
    return Field("", wire, kind, since, frozenset(keys), default)
