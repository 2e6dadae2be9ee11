"""Messages as hypothesis makes them up: any JSON, and requests whose keys are right and whose values are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from moby_tui.engine.protocol import control

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
#: What ends the container, or stops it for good, is asked of no container that must live on.
_HARMLESS = sorted({operation for operation in control._REQUESTS} - {"signal", "freeze"})
_KEYS = sorted({field.key for request in control._REQUESTS.values() for field in request.FIELDS} | {"args", "version"})
REQUESTS = st.builds(
    lambda operation, values: {**values, "op": operation},
    st.sampled_from(_HARMLESS),
    st.dictionaries(st.sampled_from(_KEYS), JSON, max_size=8),
)


def spoiled(message: object) -> st.SearchStrategy[object]:
    """The message with one value of it, at any depth, replaced by one of another type."""
    return st.sampled_from(list(_places(message))).flatmap(
        lambda place: JSON.filter(lambda value: type(value) is not type(_at(message, place))).map(
            lambda value: _replaced(message, place, value)
        )
    )


def _places(value: object) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        for place in _places(inner):
            yield (key, *place)


def _at(value: Any, place: tuple[str | int, ...]) -> object:
    return _at(value[place[0]], place[1:]) if place else value


def _replaced(value: Any, place: tuple[str | int, ...], new: object) -> object:
    if not place:
        return new
    copied = value.copy()
    copied[place[0]] = _replaced(value[place[0]], place[1:], new)
    return copied
