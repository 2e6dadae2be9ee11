"""Reading JSON that Go wrote, or that was written for Go.

Go's decoder matches field names whatever their case, takes ``null`` for "leave the field as it is", and its encoder writes
``null`` for an empty list. This module brings such a document into the shape that our structs accept, guided by their types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from moby_tui.schema.base import ONE_OR_MORE

T = TypeVar("T")
_Shape = Callable[[Any], Any]
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<alone>u[dD][89a-fA-F]..)|.)", re.DOTALL)


class Misfit(Exception):
    """A value that its field cannot hold."""


def decode(data: bytes | str, kind: type[T]) -> T:
    """Reads JSON as Go would; raises ``msgspec.DecodeError`` (its child ``ValidationError`` for a value of the wrong type)."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # if it is the fault of its text alone
        document = msgspec.json.decode(_valid_text(data))
    return msgspec.convert(_shape(kind, False)(document), kind)  # type: ignore[arg-type]


def _valid_text(data: bytes | str) -> str:
    """With U+FFFD for each byte that is not UTF-8, and for each escaped half of a surrogate pair that stands alone."""
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return _ESCAPE.sub(lambda escape: "\N{REPLACEMENT CHARACTER}" if escape["alone"] else escape[0], text)


def decode_foreign(data: bytes | str, kind: type[T]) -> T:
    """Reads another engine's answer: what fits no field of ours is left out instead of refused, if the field can be absent."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(_shape(kind, True)(msgspec.json.decode(data)), kind)  # type: ignore[arg-type]


@cache
def _shape(kind: Hashable, forgiving: bool) -> _Shape:
    return _of_type(inspect.type_info(kind), forgiving)


def _of_type(info: inspect.Type, forgiving: bool) -> _Shape:
    if isinstance(info, inspect.Metadata):
        inner = _of_type(info.type, forgiving)
        if not (info.extra or {}).get(ONE_OR_MORE):
            return inner
        return lambda value: inner([value] if isinstance(value, str) else value)
    if isinstance(info, inspect.StructType):
        return _of_struct(info.cls, forgiving)
    if isinstance(info, inspect.ListType | inspect.VarTupleType):
        return _of_list(_item(info.item_type, forgiving), forgiving)
    if isinstance(info, inspect.DictType):
        return _of_dict(_item(info.value_type, forgiving), forgiving)
    if isinstance(info, inspect.UnionType):
        return _of_union(info, forgiving)
    if forgiving:
        return _of_scalar(info)
    return _whole if isinstance(info, inspect.IntType) else _same


def _same(value: Any) -> Any:
    return value


_INT64 = range(-(2**63), 2**63)


def _whole(value: Any) -> Any:
    """Refuses a number that Go's int64 cannot hold."""
    if isinstance(value, int) and value not in _INT64:
        raise msgspec.ValidationError(f"the number {value} is out of range")
    return value


class _Field(NamedTuple):
    name: str
    takes_none: bool
    shape: _Shape


@cache
def _of_struct(cls: type, forgiving: bool) -> _Shape:
    fields: dict[str, _Field] = {}
    required: dict[str, _Shape] = {}

    def prepare() -> None:  # at first use, because structs may contain themselves
        info = inspect.type_info(cls)
        assert isinstance(info, inspect.StructType)
        for field in info.fields:
            inner = _of_type(field.type, forgiving)
            fields[field.encode_name.lower()] = _Field(field.encode_name, _takes_none(field.type), inner)
            if field.required and forgiving:
                required[field.encode_name] = _zero(field.type, inner)

    def shape(value: Any) -> Any:
        if not isinstance(value, dict):
            if forgiving:
                raise Misfit
            return value
        if not fields:
            prepare()
        result: dict[str, Any] = {}
        for key, item in value.items():
            field = fields.get(key.lower())
            if field is None or (item is None and not field.takes_none):
                continue
            try:
                result[field.name] = field.shape(item)
            except Misfit:
                continue
        for name in required.keys() - result.keys():
            result[name] = required[name](None)
        return result

    return shape


def _item(info: inspect.Type, forgiving: bool) -> _Shape:
    """The shape of an item of a list or map: ``null`` is the type's zero value, as in Go."""
    inner = _of_type(info, forgiving)
    if _takes_none(info):
        return inner
    zero = _zero(info, inner)
    return lambda item: zero(None) if item is None else inner(item)


def _zero(info: inspect.Type, inner: _Shape) -> _Shape:
    """What Go's encoder means by leaving a field out, and its decoder by ``null`` in a list or map."""
    if isinstance(info, inspect.StructType):
        return lambda _: inner({})
    empty: dict[type[inspect.Type], Callable[[], Any]] = {
        inspect.ListType: list,
        inspect.DictType: dict,
        inspect.StrType: str,
        inspect.IntType: int,
        inspect.FloatType: float,
        inspect.BoolType: bool,
    }
    make = empty.get(type(info), lambda: None)
    return lambda _: make()


def _takes_none(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return any(isinstance(kind, inspect.NoneType) for kind in info.types)
    return isinstance(info, inspect.AnyType | inspect.NoneType)


def _of_list(inner: _Shape, forgiving: bool) -> _Shape:
    """Lists whose items ``inner`` shapes. What is no list is left to the decoder to refuse; with ``forgiving`` it raises ``Misfit``."""

    def shape(value: Any) -> Any:
        if not isinstance(value, list):
            if forgiving:
                raise Misfit
            return value
        return [inner(item) for item in value]

    return shape


def _of_dict(inner: _Shape, forgiving: bool) -> _Shape:
    def shape(value: Any) -> Any:
        if not isinstance(value, dict):
            if forgiving:
                raise Misfit
            return value
        result = {}
        for key, item in value.items():
            try:
                result[key] = inner(item)
            except Misfit:
                continue
        return result

    return shape


_CONTAINERS: dict[type, tuple[type, ...]] = {
    dict: (inspect.StructType, inspect.DictType, inspect.AnyType),
    list: (inspect.ListType, inspect.VarTupleType, inspect.AnyType),
}


def _of_union(info: inspect.UnionType, forgiving: bool) -> _Shape:
    """Unions here are "or null" and "list or text": the JSON kind of the value tells which member is meant."""
    members = [(kind, _of_type(kind, forgiving)) for kind in info.types]

    def shape(value: Any) -> Any:
        if value is None:
            return None
        wanted = _CONTAINERS.get(type(value))
        for kind, inner in members:
            if isinstance(kind, inspect.Metadata) and isinstance(value, str | list):
                return inner(value)
            if wanted is None:
                if not isinstance(kind, inspect.StructType | inspect.DictType | inspect.ListType | inspect.NoneType):
                    return inner(value)
            elif isinstance(kind, wanted):
                return inner(value)
        if forgiving:
            raise Misfit
        return value

    return shape


def _of_scalar(info: inspect.Type) -> _Shape:
    accepted: dict[type, type | tuple[type, ...]] = {
        inspect.StrType: str,
        inspect.BoolType: bool,
        inspect.IntType: int,
        inspect.FloatType: (int, float),
    }
    python_type = accepted.get(type(info))
    if python_type is None:
        return _same

    def shape(value: Any) -> Any:
        if not isinstance(value, python_type) or (isinstance(value, bool) and python_type is not bool):
            raise Misfit
        return value

    return shape
