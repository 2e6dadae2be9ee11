"""The base of every message between our processes: declared fields, one reader, one writer (standard library only, light imports).

A message is one JSON object. The sender may be another version of moby, or a process that died while it wrote, so the reader takes nothing
for granted: a key that it does not know is ignored, a key that is missing or of another type is refused with ``MalformedMessage``, and a
message of a later ``VERSION`` than ours with ``ForeignVersion``. Neither ends the process that reads.

msgspec does this for the engine. It is not used here because every monitor, launcher and unpacker would pay for its import.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

    Kind = TypeVar("Kind")
else:

    def dataclass_transform(**_):
        return lambda made: made


Json = dict[str, object]
#: Turns a JSON value into a field's value. Raises ``MalformedMessage``, which begins with the key that it is given.
Reader = Callable[[object, str], object]

_VERSION_KEY = "version"
_MISSING = object()
#: In what JSON is called by the names of its types.
_NAMES = {str: "a string", int: "an integer", bool: "true or false", float: "a number", dict: "an object", list: "a list"}


class MalformedMessage(ValueError):
    """What was read is not the message that it should be. The text is one line and names the message, the field and what was expected."""

    def within(self, where: str) -> MalformedMessage:
        """The same of the message that it is a part of. So where a value stands is put into words only if something is wrong with it."""
        return type(self)(f"{where}: {self}")


class ForeignVersion(MalformedMessage):
    """The message was written by a later version of moby, in a form that this one cannot read."""


class Field:
    """One field of a message class: its key in JSON, how its value is read, and what it is when the key is absent.

    ``plain``: no message stands in it, so that it is written as it is. ``simple`` is the type of a value that needs no more reading.
    ``make`` makes the default where that is a list, dictionary or message, which must be a new one each time.
    """

    __slots__ = ("default", "key", "kind", "make", "name", "optional", "plain", "read", "required", "simple")

    def __init__(self, name: str, key: str, kind: str, default: object) -> None:
        self.name = name
        self.key = key
        self.kind = kind
        self.optional, self.plain, self.simple = _shapes.get(kind) or _shape_of(kind)
        self.required = default is _MISSING and not self.optional
        self.default = None if default is _MISSING and self.optional else default
        self.make: Callable[[], object] | None = None
        if isinstance(self.default, MessageType):
            self.make = self.default
        elif isinstance(self.default, (list, dict)):
            self.make = self.default.copy
        #: made when it is first needed: the classes that a kind names may be defined after this one
        self.read: Reader | None = None

    def absent(self) -> object:
        """The value where the key is missing."""
        return self.default if self.make is None else self.make()


class MessageType(type):
    """Makes a class of fields: its annotations become slots, what is assigned to them becomes their defaults."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> MessageType:
        keys: dict[str, str] = namespace.get("KEYS", {})
        fields = [
            Field(field, keys.get(field, field), str(kind), namespace.pop(field, _MISSING))
            for field, kind in namespace.get("__annotations__", {}).items()
            if not field.isupper()
        ]
        inherited = [field for base in bases for field in getattr(base, "FIELDS", ())]
        namespace["FIELDS"] = (*inherited, *fields)
        namespace["__slots__"] = (*namespace.get("__slots__", ()), *(field.name for field in fields))
        return super().__new__(mcs, name, bases, namespace, **options)


@dataclass_transform(kw_only_default=True, eq_default=True)
class Message(metaclass=MessageType):
    """A message. Subclasses annotate their fields and may set ``VERSION`` and ``KEYS`` (field to JSON key). A version is written where it is
    not 1; 0 is that of a form that others define, which carries none.

    Field types: ``str``, ``int``, ``bool``, ``float``, ``object`` (any JSON value), a message class, ``list[T]``, ``dict[str, T]``
    and ``T | None``. A field with no default must be there.
    """

    VERSION = 1
    KEYS: ClassVar[dict[str, str]] = {}
    #: the module of a message class that a field names and that is imported when the field is first read
    ELSEWHERE: ClassVar[dict[str, str]] = {}
    FIELDS: ClassVar[tuple[Field, ...]]

    def __init__(self, **values: object) -> None:
        for field in self.FIELDS:
            if field.name not in values:
                if field.required:
                    raise TypeError(f"{type(self).__name__} needs {field.name}")
                values[field.name] = field.absent()
        if len(values) > len(self.FIELDS):
            raise TypeError(f"{type(self).__name__} has no {', '.join(values.keys() - {field.name for field in self.FIELDS})}")
        for name, value in values.items():
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, f.name) == getattr(other, f.name) for f in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in self.FIELDS)})"

    # reading

    @classmethod
    def from_values(cls, values: object, where: str = "") -> Self:
        """The message in a decoded JSON value; ``where`` names it in errors. Raises ``MalformedMessage``."""
        where = where or cls.__name__
        if not isinstance(values, dict):
            raise MalformedMessage(f"{where}: expected an object, got {describe_type(values)}")
        version = values.get(_VERSION_KEY, 1) if cls.VERSION else 0
        if cls.VERSION and (type(version) is not int or version < 1):
            raise MalformedMessage(f"{where}: version is not a number")
        if version > cls.VERSION:
            raise ForeignVersion(f"{where}: version {version} was written by a later moby; this one reads up to {cls.VERSION}")
        message = cls.__new__(cls)
        try:
            for field in cls.FIELDS:
                value = values.get(field.key, _MISSING)
                if type(value) is not field.simple:
                    value = cls.read_field(field, value)
                setattr(message, field.name, value)
        except MalformedMessage as error:
            raise error.within(where) from None
        message.check(where)
        return message

    @classmethod
    def decode(cls, data: bytes | str, where: str = "") -> Self:
        """The message in JSON text. Raises ``MalformedMessage``, whatever the text is."""
        return cls.from_values(decode_json(data, where or cls.__name__), where)

    @classmethod
    def read_field(cls, field: Field, value: object) -> object:
        """What is not of a simple type, or not of the right one, or not there. Raises ``MalformedMessage``."""
        if value is _MISSING:
            if field.required:
                raise MalformedMessage(f"{field.key} is missing")
            return field.absent()
        if value is None and field.optional:
            return None
        if field.read is None:
            owner = next(base for base in cls.__mro__ if field.name in base.__dict__.get("__slots__", ()))
            names = {**sys.modules[owner.__module__].__dict__}
            for name, module in cls.ELSEWHERE.items():
                names[name] = getattr(__import__(module, fromlist=[name]), name)
            field.read = _compile(field.kind, names)
        return field.read(value, field.key)

    def check(self, where: str) -> None:
        """Raises ``MalformedMessage`` where values of the right types make no sense. Subclasses say more."""

    def replaced(self, **changes: object) -> Self:
        """A copy with other values."""
        return type(self)(**{field.name: getattr(self, field.name) for field in self.FIELDS} | changes)

    # writing

    def values(self) -> Json:
        """The JSON object, without fields that are None."""
        written: Json = {} if self.VERSION <= 1 else {_VERSION_KEY: self.VERSION}
        for field in self.FIELDS:
            value = getattr(self, field.name)
            if value is not None:
                written[field.key] = value if field.plain else plain(value)
        return written

    def encode(self) -> bytes:
        return json.dumps(self.values()).encode()

    def encode_line(self) -> bytes:
        """As one line, which is how messages go over a stream socket."""
        return self.encode() + b"\n"


def fresh(kind: type[Kind]) -> Kind:
    """The default of a field: a message of this kind, with nothing but its own defaults in it."""
    return kind  # type: ignore[return-value]


def decode_json(data: bytes | str, where: str) -> object:
    """Decodes JSON that another process wrote. Raises ``MalformedMessage``, also for text that is nested without end."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"{where}: not JSON: {error}") from error


def describe_type(value: object) -> str:
    """A JSON value's type, in words for an error."""
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)


def plain(value: object) -> object:
    """A field's value as JSON has it."""
    if isinstance(value, Message):
        return value.values()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _shape_of(kind: str) -> tuple[bool, bool, type | None]:
    """What a ``Field`` of this type is: optional, plain, and of which simple type. Noted, since few types are those of many fields."""
    shape = kind.endswith("| None"), _innermost(kind) in _SIMPLE, _TYPES.get(kind.removesuffix("| None").strip())
    _shapes[kind] = shape
    return shape


def _innermost(kind: str) -> str:
    """The type in the lists and dictionaries of a field type."""
    kind = kind.removesuffix("| None").strip()
    while kind.endswith("]"):
        kind = kind[kind.index("[") + 1 : -1].removeprefix("str,").strip()
    return kind


def _compile(kind: str, names: dict[str, Any]) -> Reader:
    """The reader of a field type, as it stands in the annotation."""
    kind = kind.strip()
    if kind.endswith("| None"):
        inner = _compile(kind.removesuffix("| None"), names)
        return lambda value, where: None if value is None else inner(value, where)
    if kind.startswith("list["):
        exact = _TYPES.get(kind[5:-1])
        return _exact_list_reader(exact) if exact is not None else _list_reader(_compile(kind[5:-1], names))
    if kind.startswith("dict[str,"):
        return _dict_reader(_compile(kind[9:-1], names))
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple
    message: type[Message] = names[kind]
    return message.from_values


def _list_reader(item: Reader) -> Reader:
    def read(value: object, key: str) -> list[object]:
        if type(value) is not list:
            raise MalformedMessage(f"{key}: expected a list, got {describe_type(value)}")
        return [item(element, key) for element in value]

    return read


def _exact_list_reader(kind: type) -> Reader:
    def read(value: object, key: str) -> list[object]:
        if type(value) is not list:
            raise MalformedMessage(f"{key}: expected a list, got {describe_type(value)}")
        for element in value:
            if type(element) is not kind:
                raise MalformedMessage(f"{key}: expected {_NAMES[kind]}, got {describe_type(element)}")
        return value

    return read


def _dict_reader(item: Reader) -> Reader:
    def read(value: object, key: str) -> dict[str, object]:
        if type(value) is not dict:
            raise MalformedMessage(f"{key}: expected an object, got {describe_type(value)}")
        return {name: item(element, key) for name, element in value.items()}

    return read


def _exactly(kind: type) -> Reader:
    def read(value: object, key: str) -> object:
        # a bool is an int in Python, and is none in JSON
        if type(value) is not kind:
            raise MalformedMessage(f"{key}: expected {_NAMES[kind]}, got {describe_type(value)}")
        return value

    return read


def _read_float(value: object, key: str) -> float:
    if type(value) is not int and type(value) is not float:
        raise MalformedMessage(f"{key}: expected a number, got {describe_type(value)}")
    try:
        return float(value)
    except OverflowError:
        raise MalformedMessage(f"{key}: the number is too large") from None


_shapes: dict[str, tuple[bool, bool, type | None]] = {}
_TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "Json": dict}
_SIMPLE: dict[str, Reader] = {
    **{name: _exactly(kind) for name, kind in _TYPES.items()},
    "float": _read_float,
    "object": lambda value, key: value,
}
