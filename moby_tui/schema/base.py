"""The base of every object on the wire.

Names on the wire are those of the Docker Engine API (Go's PascalCase); names in Python are snake_case. A field whose
wire name does not follow from its Python name says so with ``name=``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")
_SURROGATE = "[\ud800-\udfff]"

#: How Docker writes "never" in a time field.
ZERO_TIME = "0001-01-01T00:00:00Z"

#: The query filters of the API: for each key the values of which one must match (``label``: all).
Filters = dict[str, list[str]]


#: A list of texts that Docker also reads if it is one text alone. ``api/client/lenient.py`` makes a list of it.
ONE_OR_MORE = "one or more"
Words = Annotated[list[str], msgspec.Meta(extra={ONE_OR_MORE: True})]


class Wire(msgspec.Struct, rename="pascal", kw_only=True):
    """An object of the Docker Engine API."""


class Oci(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """An object of an OCI specification: camelCase, absent rather than null."""


def encode(value: object) -> bytes:
    """The JSON of a value, UTF-8, no newline.

    Bytes of names that are not UTF-8 (PEP 383) are U+FFFD each, as Go's encoder writes them.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_replaced(msgspec.to_builtins(value)))


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(_SURROGATE, "\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    return [_replaced(item) for item in value] if isinstance(value, list) else value


def decode(data: bytes | str, kind: type[T]) -> T:
    """Reads JSON into a typed object; raises ``msgspec.ValidationError`` (a ``ValueError``) naming the field that is wrong."""
    return msgspec.json.decode(data, type=kind)


def to_builtins(value: object) -> Any:
    """A value as plain dicts, lists, strings and numbers, with wire names."""
    return msgspec.to_builtins(value)
