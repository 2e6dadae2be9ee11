"""A JSON schema as a table: from the path of each member to its types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Table = dict[str, set[str]]


def flattened(schema: Json, document: Json) -> Table:
    """``.Mounts[].Type`` is a member of each item of a list, ``.Labels{}`` a value of a map; the empty path is the whole."""
    table: Table = {}
    _add(schema, document, "", (), table)
    return table


def _add(schema: Json, document: Json, path: str, above: tuple[str, ...], table: Table) -> None:
    types = table.setdefault(path, set())
    for part, names in _alternatives(schema, document, above):
        if "const" in part or ("enum" in part and "type" not in part):
            types.add("string")
        kinds = part.get("type", [])
        types.update(kinds if isinstance(kinds, list) else [kinds])
        for name, member in part.get("properties", {}).items():
            types.add("object")
            _add(member, document, f"{path}.{name}", names, table)
        for keyword, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(part.get(keyword), dict) and part[keyword]:
                _add(part[keyword], document, path + suffix, names, table)
    # whether a member may be null is seldom said
    types.discard("null")


def _alternatives(schema: Json, document: Json, above: tuple[str, ...]) -> Iterator[tuple[Json, tuple[str, ...]]]:
    """The schemas that one is made of, each with the references that have led to it; a schema that is in itself ends there."""
    reference = schema.get("$ref")
    if reference in above:
        return
    if reference:
        above = (*above, reference)
        schema = document
        for name in reference.removeprefix("#/").split("/"):
            schema = schema[name]
        if "$ref" in schema:
            yield from _alternatives(schema, document, above)
            return
    yield schema, above
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(keyword, ()):
            yield from _alternatives(part, document, above)
