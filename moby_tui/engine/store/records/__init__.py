"""What is kept on disk of each object, in structs of its own: nothing here imports the Engine API's (``schema``).

Runs in an engine. Each module has the structs of one kind of object, whose module ``wire`` converts them with ``converted``; ``record_files``
reads and writes the records that lie beside the objects' own files.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct, ValidationError, convert

from moby_tui.errors import InvalidArgument

T = TypeVar("T")


class Form(Struct, rename="pascal", kw_only=True, omit_defaults=True):
    """A record, or a part of one. Its names in JSON are those that it has had on disk since format 1; a default is not written."""


def converted(value: object, kind: type[T], what: str) -> T:
    """A new value of ``kind`` with the attributes of the same names; it shares nothing with ``value``.

    Raises ``InvalidArgument``, naming ``what``, for an attribute whose value has another type than the field: a caller of the SDK can pass
    anything.
    """
    try:
        return convert(value, kind, from_attributes=True)
    except ValidationError as error:
        raise InvalidArgument(f"invalid {what}: {error}") from error
