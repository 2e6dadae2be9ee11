"""What an operation of the API is, and the decorators that declare one.

A declaration is a method of a family's protocol, with types and defaults, under a decorator that has HTTP method and path::

    class Volumes(Protocol):
        @delete("/volumes/{name}", errors=(404, 409))
        async def remove(self, name: str, *, force: bool = False) -> None:
            \"""Removes a volume that no container uses.\"""

Where a parameter travels follows from its name and type: a variable of the path has its name; a struct is the JSON body; an iterator of
bytes is the body as it is; ``auth`` is the header X-Registry-Auth; all else is a field of the query with the parameter's name. ``field``
says what differs. Types are looked up at an operation's first use: a process pays for the operations that it calls.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from inspect import Parameter as _Python
from inspect import Signature, signature
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypedDict, TypeVar, Union, Unpack, get_args, get_origin, get_type_hints

import msgspec

from moby_tui.schema.base import Filters
from moby_tui.schema.image import Progress, RegistryAuth

F = TypeVar("F", bound=Callable[..., Any])

#: The forms of a query's field. ``flag``: true or false in any word. ``boolean``: in Go's words alone. ``inverse``: a flag that says the
#: opposite of its parameter. ``count``: a number, of which one below 0 means 0. ``dimension``: of a terminal, in rows or columns. ``path``:
#: in a container; its bytes need not be UTF-8. ``texts``: the field is repeated. ``filters``: JSON of lists of texts. ``map``: JSON of
#: texts. ``moment`` and ``timestamp``: Unix seconds or RFC 3339; where there is none, None and 0. ``tail``: a number
#: of lines, None for all. ``platform``: the OCI object as JSON, in Python ``os/architecture/variant``. ``reference``: an image's name
#: in two fields, of which the other is ``tag``.
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
#: What an answer's body is: ``other`` answers have code of their own on both sides.
Form = Literal["nothing", "json", "lines", "progress", "bytes", "other"]

#: Nobody misses the rest of these when the client is gone.
_READING: Final = ("GET", "HEAD", "PUT")
TAR: Final = "application/x-tar"
#: The default of a parameter that must be there.
REQUIRED: Final = _Python.empty
#: A variable of a path, and the expression of what it matches.
VARIABLE = re.compile(r"\{(\w+)(?::([^}]*))?\}")


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


def filters(*keys: str) -> Field:
    """The parameter ``filters``, and the keys that it may have."""
    return Field("filters", "filters", "filters", keys=frozenset(keys))


def option(parameter: str, kind: Kind, *, wire: str = "") -> Field:
    """A member of a struct that is a parameter, as a field of the query: ``options.stdin``. One that is absent is not wanted."""
    return Field(parameter, wire or parameter.partition(".")[2], kind)


def extra(wire: str, kind: Kind = "text", *, default: Any = "", since: str = "") -> Field:
    """A field of the query that is no parameter of the method: the server's own code reads it."""
    return Field("", wire, kind, since, default=default)


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


class Told(TypedDict, total=False):
    """What a declaration may tell beside path and fields."""

    #: of success, if it is not 200, or 204 for a method that returns nothing
    status: int
    #: of the refusals that Docker documents, beside 400 and 500
    errors: Sequence[int]
    #: the first version of the API that has the operation
    since: str
    #: it stops when its client goes away, as GET, HEAD and PUT do; the others run to their end
    abandoned: bool
    #: it is as long as something else: over TCP it stops at a half-close too, which a client that goes away looks like
    lasting: bool
    #: the struct that parameters make up together
    body: type
    #: the type of the answer's document, if the method returns another
    answer: Any
    #: the member of the answer that the method returns, if it is not the whole
    gives: str
    #: the type of an answer that is no JSON
    media: str
    #: the type of a body that is no JSON
    uploads: str
    #: what to call an operation that only moby has, if another engine does not know it
    needs: str
    #: what it does, if no method's docstring says it
    meaning: str


class Operation:
    """One operation: HTTP method and path, and the method of the client that it is, if it is one."""

    def __init__(
        self,
        method: str,
        path: str,
        declared: Sequence[Field] = (),
        function: Callable[..., Any] | None = None,
        **told: Unpack[Told],
    ) -> None:
        self.method = method
        self.path = path
        self.errors = tuple(told.get("errors", ()))
        self.since = told.get("since", "")
        self.lasting = told.get("lasting", False)
        self.abandoned = self.lasting or told.get("abandoned", method in _READING)
        self.gives = told.get("gives", "")
        self.media = told.get("media", "")
        self.needs = told.get("needs", "")
        self._told = told
        self._declared = declared
        self._function = function
        family, _, self.name = function.__qualname__.rpartition(".") if function else ("", "", "")
        #: the attribute of the client that has the method: ``volumes``
        self.family = family.lower()

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}>"

    @property
    def meaning(self) -> str:
        """What the operation does, in a sentence."""
        return _first_sentence(self._told.get("meaning") or (self._function.__doc__ if self._function else "") or "")

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self._function) if self._function else {}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of the signature; behind them what only the server reads."""
        declared = {one.parameter: one for one in self._declared if one.parameter and "." not in one.parameter}
        named: Mapping[str, _Python] = {} if self._function is None else self.signature.parameters
        if unknown := declared.keys() - named:
            raise TypeError(f"{self!r}: no parameter {min(unknown)!r}")
        variables = {match[1] for match in VARIABLE.finditer(self.path)}
        if self._function is None:
            own = [Parameter(name, name, "path", "text", str, REQUIRED, "", frozenset()) for name in sorted(variables)]
            own += [_option(one) for one in self._declared if "." in one.parameter]
        else:
            if missing := variables - named.keys():
                raise TypeError(f"{self!r}: no parameter {min(missing)!r}")
            own = []
            for name, one in named.items():
                members = [option for option in self._declared if option.parameter.startswith(f"{name}.")]
                own += [_option(option) for option in members]
                own += [] if members else [self._placed(one, declared.get(name), name in variables)]
        extras = [
            Parameter(one.wire, one.wire, "query", one.kind or "text", None, one.default, one.since, one.keys, own=False)
            for one in self._declared
            if not one.parameter
        ]
        return (*own, *extras)

    def _placed(self, python: _Python, declared: Field | None, in_path: bool) -> Parameter:
        kind_of = _without_none(self._types[python.name])
        place: Place = "query"
        if declared and declared.place:
            place = declared.place
        elif in_path:
            place = "path"
        elif "body" in self._told:
            place = "member"
        elif python.name == "auth" and kind_of is RegistryAuth:
            place = "auth"
        elif get_origin(kind_of) is AsyncIterator:
            place = "upload"
        elif isinstance(kind_of, type) and issubclass(kind_of, msgspec.Struct):
            place = "body"
        kind = (declared.kind if declared else None) or ("text" if place != "query" else _kind(kind_of, self, python.name))
        return Parameter(
            python.name,
            declared.wire if declared else python.name,
            place,
            kind,
            self._types[python.name],
            declared.default if declared and declared.default is not REQUIRED else python.default,
            declared.since if declared else "",
            declared.keys if declared else frozenset(),
        )

    @cached_property
    def body(self) -> Any:
        """The type of the JSON body; None without one."""
        if "body" in self._told:
            return self._told["body"]
        return next((one.type for one in self.parameters if one.place == "body"), None)

    @cached_property
    def uploads(self) -> str:
        """The type of a body of bytes; empty without one."""
        return self._told.get("uploads") or (TAR if any(one.place == "upload" for one in self.parameters) else "")

    @cached_property
    def members(self) -> dict[str, str]:
        """For parameters that make up the body: the attribute of the body that each is."""
        return {one.name: one.wire for one in self.parameters if one.place == "member"}

    @cached_property
    def options(self) -> dict[str, tuple[type, tuple[str, ...]]]:
        """For parameters that are structs, but fields of the query on the wire: type and members of each."""
        found: dict[str, tuple[type, tuple[str, ...]]] = {}
        for one in self._declared:
            name, dot, member = one.parameter.partition(".")
            if dot and self._function:
                kind, members = found.get(name, (self._types[name], ()))
                found[name] = kind, (*members, member)
        return found

    @property
    def signature(self) -> Signature:
        """Of the method, without ``self``."""
        assert self._function is not None
        whole = signature(self._function)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    @cached_property
    def answer(self) -> Any:
        """The type of the answer's document, or of each of its lines; None without one."""
        if "answer" in self._told:
            return self._told["answer"]
        told = self._types.get("return", NoneType)
        if get_origin(told) is AsyncIterator:
            told = get_args(told)[0]
        return None if told is NoneType else told

    @cached_property
    def form(self) -> Form:
        told = self._types.get("return", NoneType)
        if self.gives:
            return "json"
        if "answer" in self._told or self._function is None or self.status == 101 or get_origin(told) is tuple:
            return "other"
        if told is NoneType:
            return "nothing"
        if self.media and told != AsyncIterator[bytes]:
            return "other"
        if get_origin(told) is AsyncIterator:
            inner = get_args(told)[0]
            return "bytes" if inner is bytes else "progress" if inner is Progress else "lines"
        return "json"

    @cached_property
    def status(self) -> int:
        """Of success."""
        silent = self._function is not None and self._types.get("return") is NoneType
        return self._told.get("status") or (204 if silent else 200)

    @cached_property
    def bind(self) -> Callable[..., dict[str, Any]]:
        """From the arguments of a call to a value for each parameter; raises ``TypeError`` as the call of a function does."""
        expected = self.signature

        def bound(*positional: Any, **named: Any) -> dict[str, Any]:
            arguments = expected.bind(*positional, **named)
            arguments.apply_defaults()
            return arguments.arguments

        return bound


#: What a member of options is where the query says nothing of it.
_UNSAID: dict[Kind, Any] = {"flag": False, "timestamp": 0.0, "tail": None}


def _option(declared: Field) -> Parameter:
    kind = declared.kind or "text"
    unsaid = _UNSAID.get(kind, "")
    return Parameter(declared.parameter, declared.wire, "query", kind, None, unsaid, "", frozenset())


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n\n", " ".join(text.split("\n\n")[0].split()), maxsplit=1)[0].rstrip(".")


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not NoneType]
        return rest[0] if len(rest) == 1 else kind
    return kind


_SCALARS: dict[Any, Kind] = {bool: "flag", int: "integer", str: "text", float: "moment"}


def _kind(kind: Any, operation: Operation, name: str) -> Kind:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == Filters:
        return "filters"
    if get_origin(kind) in (list, Sequence) and get_args(kind) == (str,):
        return "texts"
    raise TypeError(f"{operation!r}: say what {name!r} is on the wire")


def _declaration(method: str, path: str, declared: Sequence[Field], **told: Unpack[Told]) -> Callable[[F], F]:
    def declare(function: F) -> F:
        function.__dict__["operation"] = Operation(method, path, declared, function, **told)
        return function

    return declare


def get(path: str, *declared: Field, **told: Unpack[Told]) -> Callable[[F], F]:
    """An operation of a family: a parameter that ``declared`` does not name is as name and type say."""
    return _declaration("GET", path, declared, **told)


def head(path: str, *declared: Field, **told: Unpack[Told]) -> Callable[[F], F]:
    return _declaration("HEAD", path, declared, **told)


def post(path: str, *declared: Field, **told: Unpack[Told]) -> Callable[[F], F]:
    return _declaration("POST", path, declared, **told)


def put(path: str, *declared: Field, **told: Unpack[Told]) -> Callable[[F], F]:
    return _declaration("PUT", path, declared, **told)


def delete(path: str, *declared: Field, **told: Unpack[Told]) -> Callable[[F], F]:
    return _declaration("DELETE", path, declared, **told)


def operation_of(function: Callable[..., Any]) -> Operation:
    """The declaration of a family's method; raises ``KeyError`` for one that is made of others."""
    operation: Operation = function.__dict__["operation"]
    return operation


def operations_of(family: type) -> Iterator[Operation]:
    """In the order of the declarations."""
    for member in vars(family).values():
        if operation := getattr(member, "__dict__", {}).get("operation"):
            yield operation
