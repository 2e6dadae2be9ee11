"""The functions that every template of Go has."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from moby_tui.templates.functions import Function, FunctionFailed
from moby_tui.templates.printing import sprint, sprintf, sprintln, text_of
from moby_tui.templates.values import Map, NilPointer, Struct, is_true, known, type_name


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _index(item: Any, *indexes: Any) -> Any:
    item = known(item)
    if item is None:
        raise FunctionFailed("index of untyped nil")
    for index in indexes:
        item = _indexed(item, known(index))
    return item


def _indexed(item: Any, index: Any) -> Any:
    if item is None or isinstance(item, NilPointer):
        raise FunctionFailed("index of nil pointer")
    if isinstance(item, dict):
        if not isinstance(index, str):
            reason = "value is nil; should be string" if index is None else f"value has type {type_name(index)}; should be string"
            raise FunctionFailed(reason)
        return item[index] if index in item else item.zero if isinstance(item, Map) else None
    if isinstance(item, (list, str)):
        data = item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item
        position = _position(index, len(data))
        if position == len(data):
            raise FunctionFailed(f"reflect: {'string' if isinstance(item, str) else 'slice'} index out of range")
        return data[position]
    raise FunctionFailed(f"can't index item of type {type_name(item)}")


def _position(index: Any, length: int) -> int:
    """An index into something of this length, or its end."""
    if index is None:
        raise FunctionFailed("cannot index slice/array with nil")
    if not _is_integer(index):
        raise FunctionFailed(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index <= length:
        raise FunctionFailed(f"index out of range: {index}")
    return int(index)


def _slice(item: Any, *indexes: Any) -> Any:
    item = known(item)
    if item is None:
        raise FunctionFailed("slice of untyped nil")
    if len(indexes) > 3:
        raise FunctionFailed(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, (list, str)):
        raise FunctionFailed(f"can't slice item of type {type_name(item)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise FunctionFailed("cannot 3-index slice a string")
    data: Any = item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item
    bounds = [_position(known(index), len(data)) for index in indexes]
    start, end = bounds[0] if bounds else 0, bounds[1] if len(bounds) > 1 else len(data)
    if start > end:
        raise FunctionFailed(f"invalid slice index: {start} > {end}")
    if len(bounds) == 3 and end > bounds[2]:
        raise FunctionFailed(f"invalid slice index: {end} > {bounds[2]}")
    return data[start:end].decode("utf-8", "surrogateescape") if isinstance(item, str) else data[start:end]


def _len(item: Any) -> int:
    item = known(item)
    if isinstance(item, str):
        return len(item.encode("utf-8", "surrogateescape"))
    if isinstance(item, (list, dict)):
        return len(item)
    raise FunctionFailed("len of nil pointer" if item is None else f"len of type {type_name(item)}")


def _call(function: Any, *_: Any) -> Any:
    """No value of ours holds a function."""
    if known(function) is None:
        raise FunctionFailed("call of nil")
    raise FunctionFailed(f"non-function {text_of(function)} of type {type_name(function)}")


# comparison

_FAMILIES: tuple[tuple[type | tuple[type, ...], str], ...] = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"))


def _family(value: Any) -> str:
    """What a value can be compared with; nothing for a list or map."""
    if known(value) is None:
        return "nil"
    if isinstance(value, NilPointer):
        return value.type_name
    return next((family for kind, family in _FAMILIES if isinstance(value, kind)), "struct" if isinstance(value, Struct) else "")


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise FunctionFailed("missing argument for comparison")
    family = _family(first)
    for other in others:
        family_of_other = _family(other)
        if not family and not family_of_other:
            raise FunctionFailed(f"non-comparable type {text_of(first)}: {type_name(first)}")
        if family_of_other == family:
            if known(first) == known(other) or isinstance(first, NilPointer):
                return True
        elif "nil" in (family, family_of_other):
            continue
        else:
            raise _incompatible(first, other)
    return False


def _incompatible(first: Any, second: Any) -> FunctionFailed:
    return FunctionFailed(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")


def _lt(first: Any, second: Any) -> bool:
    family = _family(first)
    if family not in ("int", "float", "string"):
        raise FunctionFailed("invalid type for comparison")
    if _family(second) not in ("bool", "int", "float", "string"):
        raise FunctionFailed("invalid type for comparison")
    if family != _family(second):
        raise _incompatible(first, second)
    return bool(first < second)


def _le(first: Any, second: Any) -> bool:
    return _lt(first, second) or _eq(first, second)


# escapes

_HTML = str.maketrans({'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _text(*values: Any) -> str:
    """The arguments of an escape as one text."""
    return values[0] if len(values) == 1 and isinstance(values[0], str) else sprint(values)


def _html(*values: Any) -> str:
    return _text(*values).translate(_HTML)


def _js(*values: Any) -> str:
    return "".join(_JS.get(c) or (c if c.isprintable() else f"\\u{ord(c):04X}") for c in _text(*values))


def _urlquery(*values: Any) -> str:
    return quote_plus(_text(*values).encode("utf-8", "surrogateescape"), safe="")


BUILTINS: dict[str, Function] = {
    "and": Function(is_true, ("",), "", stops=False),
    "or": Function(is_true, ("",), "", stops=True),
    "not": Function(lambda value: not is_true(value), ("",)),
    "call": Function(_call, ("",), ""),
    "html": Function(_html, (), ""),
    "index": Function(_index, ("",), ""),
    "slice": Function(_slice, ("",), ""),
    "js": Function(_js, (), ""),
    "len": Function(_len, ("",)),
    "print": Function(lambda *values: sprint(values), (), ""),
    "printf": Function(lambda format, *values: sprintf(format, values), ("string",), ""),
    "println": Function(lambda *values: sprintln(values), (), ""),
    "urlquery": Function(_urlquery, (), ""),
    "eq": Function(_eq, ("",), ""),
    "ne": Function(lambda first, second: not _eq(first, second), ("", "")),
    "lt": Function(_lt, ("", "")),
    "le": Function(_le, ("", "")),
    "gt": Function(lambda first, second: not _le(first, second), ("", "")),
    "ge": Function(lambda first, second: not _lt(first, second), ("", "")),
}
