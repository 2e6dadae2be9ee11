"""What an operation of the API is, and the decorators that declare one.

A declaration is a method of a family's protocol, with types and defaults, under a decorator that has HTTP method and path::

    class Volumes(Protocol):
        @delete("/volumes/{name}", errors=(404, 409))
        async def remove(self, name: str, *, force: bool = False) -> None:
            \"""Removes a volume that no container uses.\"""

Where a parameter travels follows from its name and type: a variable of the path has its name; a struct is the JSON body; an iterator of
bytes is the body as it is; ``auth`` is the header X-Registry-Auth; all else is a field of the query with the parameter's name. ``fields``
says what differs. Types are looked up at an operation's first use: a process pays for the operations that it calls.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cached_property
from inspect import Signature, signature
from types import NoneType
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack, get_args, get_origin, get_type_hints

from moby_tui.api.operations import parameters
from moby_tui.api.operations.fields import Field
from moby_tui.api.operations.parameters import Parameter
from moby_tui.schema.image import Progress

F = TypeVar("F", bound=Callable[..., Any])

#: What an answer's body is: ``other`` answers have code of their own on both sides.
Form = Literal["nothing", "json", "lines", "progress", "bytes", "other"]

#: Nobody misses the rest of these when the client is gone.
_READING: Final = ("GET", "HEAD", "PUT")
TAR: Final = "application/x-tar"
LINES: Final = "application/x-ndjson"


class Details(TypedDict, total=False):
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
    #: the type of an answer of one JSON document a line, if it is not LINES
    lines: str
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
        **details: Unpack[Details],
    ) -> None:
        self.method = method
        self.path = path
        self.errors = tuple(details.get("errors", ()))
        self.since = details.get("since", "")
        self.lasting = details.get("lasting", False)
        self.abandoned = self.lasting or details.get("abandoned", method in _READING)
        self.gives = details.get("gives", "")
        self.media = details.get("media", "")
        self.lines = details.get("lines", LINES)
        self.needs = details.get("needs", "")
        self._details = details
        self._declared = declared
        self._function = function
        family, _, self.name = function.__qualname__.rpartition(".") if function else ("", "", "")
        #: the attribute of the client that has the method: ``volumes``
        self.family = family.rpartition(".")[2].lower()

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}>"

    @property
    def meaning(self) -> str:
        """What the operation does, in a sentence."""
        return _first_sentence(self._details.get("meaning") or (self._function.__doc__ if self._function else "") or "")

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self._function) if self._function else {}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of the signature; behind them what only the server reads. Raises ``TypeError`` for a faulty declaration."""
        if self._function is None:
            return parameters.of_a_route(self.path, self._declared)
        named, together = self.signature.parameters, "body" in self._details
        return parameters.of_a_method(self.path, named, self._types, self._declared, together=together)

    @cached_property
    def body(self) -> Any:
        """The type of the JSON body; None without one."""
        if "body" in self._details:
            return self._details["body"]
        return next((one.type for one in self.parameters if one.place == "body"), None)

    @cached_property
    def uploads(self) -> str:
        """The type of a body of bytes; empty without one."""
        return self._details.get("uploads") or (TAR if any(one.place == "upload" for one in self.parameters) else "")

    @cached_property
    def members(self) -> dict[str, str]:
        """For parameters that make up the body: the attribute of the body that each is."""
        return {one.name: one.wire for one in self.parameters if one.place == "member"}

    @cached_property
    def options(self) -> dict[str, tuple[type, tuple[str, ...]]]:
        """For parameters that are structs, but fields of the query on the wire: type and members of each."""
        options: dict[str, tuple[type, tuple[str, ...]]] = {}
        for one in self._declared:
            name, dot, member = one.parameter.partition(".")
            if dot and self._function:
                kind, members = options.get(name, (self._types[name], ()))
                options[name] = kind, (*members, member)
        return options

    @cached_property
    def signature(self) -> Signature:
        """Of the method, without ``self``."""
        assert self._function is not None
        whole = signature(self._function)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    @cached_property
    def answer(self) -> Any:
        """The type of the answer's document, or of each of its lines; None without one."""
        if "answer" in self._details:
            return self._details["answer"]
        returned = self._types.get("return", NoneType)
        if get_origin(returned) is AsyncIterator:
            returned = get_args(returned)[0]
        return None if returned is NoneType else returned

    @cached_property
    def form(self) -> Form:
        returned = self._types.get("return", NoneType)
        if self.gives:
            return "json"
        if "answer" in self._details or self._function is None or self.status == 101 or get_origin(returned) is tuple:
            return "other"
        if returned is NoneType:
            return "nothing"
        if self.media and returned != AsyncIterator[bytes]:
            return "other"
        if get_origin(returned) is AsyncIterator:
            inner = get_args(returned)[0]
            return "bytes" if inner is bytes else "progress" if inner is Progress else "lines"
        return "json"

    @cached_property
    def status(self) -> int:
        """Of success."""
        silent = self._function is not None and self._types.get("return") is NoneType
        return self._details.get("status") or (204 if silent else 200)

    @cached_property
    def bind(self) -> Callable[..., dict[str, Any]]:
        """From the arguments of a call to a value for each parameter; raises ``TypeError`` as the call of a function does."""
        expected = self.signature

        def bound(*positional: Any, **named: Any) -> dict[str, Any]:
            arguments = expected.bind(*positional, **named)
            arguments.apply_defaults()
            return arguments.arguments

        return bound


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n\n", " ".join(text.split("\n\n")[0].split()), maxsplit=1)[0].rstrip(".")


def _declaration(method: str, path: str, declared: Sequence[Field], **details: Unpack[Details]) -> Callable[[F], F]:
    def declare(function: F) -> F:
        function.__dict__["operation"] = Operation(method, path, declared, function, **details)
        return function

    return declare


def get(path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[F], F]:
    """An operation of a family: a parameter that ``declared`` does not name is as name and type say."""
    return _declaration("GET", path, declared, **details)


def head(path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[F], F]:
    return _declaration("HEAD", path, declared, **details)


def post(path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[F], F]:
    return _declaration("POST", path, declared, **details)


def put(path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[F], F]:
    return _declaration("PUT", path, declared, **details)


def delete(path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[F], F]:
    return _declaration("DELETE", path, declared, **details)


def operation_of(function: Callable[..., Any]) -> Operation:
    """The declaration of a family's method; raises ``KeyError`` for one that is made of others."""
    operation: Operation = function.__dict__["operation"]
    return operation


def operations_of(family: type) -> Iterator[Operation]:
    """In the order of the declarations."""
    for member in vars(family).values():
        if operation := getattr(member, "__dict__", {}).get("operation"):
            yield operation
