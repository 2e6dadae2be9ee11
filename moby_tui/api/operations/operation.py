"""The class of the API's operations, and the decorators that declare one.

A declaration is a method of a family's protocol, with types and defaults. Its decorator has the HTTP method and the path::

    class Volumes(Protocol):
        @delete("/volumes/{name}", errors=(404, 409))
        async def remove(self, name: str, *, force: bool = False) -> None:
            \"""Removes a volume that no container uses.\"""

A parameter's name and type say how it is sent: a parameter that the path names is a part of the path; a struct is the JSON body; an iterator
of bytes is the body, unchanged; ``auth`` is the header X-Registry-Auth; any other is a field of the query with the parameter's name.
Arguments of the decorator (``fields``) declare a parameter that is sent otherwise. An operation evaluates its types at its first use, so
that a process evaluates those of the operations that it calls.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from inspect import Signature, signature
from types import NoneType
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack, get_args, get_origin, get_type_hints

from moby_tui.api.operations import parameters
from moby_tui.api.operations.fields import Field
from moby_tui.api.operations.parameters import Parameter
from moby_tui.schema.image import Progress

F = TypeVar("F", bound=Callable[..., Any])

#: The kind of an answer's body. An answer of the kind ``other`` is written by a handler of the server and read by a method of the client.
Form = Literal["nothing", "json", "lines", "progress", "bytes", "other"]

#: An operation with one of these methods is cancelled when its client goes away, unless it says otherwise.
_READING: Final = ("GET", "HEAD", "PUT")
TAR: Final = "application/x-tar"
LINES: Final = "application/x-ndjson"


class Details(TypedDict, total=False):
    """The keywords of a declaration."""

    #: the HTTP status of success, if it is not 200, or 204 for a method that returns nothing
    status: int
    #: the HTTP statuses of refusals that Docker documents, beside 400 and 500
    errors: Sequence[int]
    #: the first version of the API that has the operation
    since: str
    #: True: the operation is cancelled when its client goes away, as GET, HEAD and PUT are; others run to their end
    abandoned: bool
    #: True: the operation lasts as long as what it watches. Over TCP it is then cancelled at a half-close too: the server cannot tell that
    #: from a #: client that goes away
    lasting: bool
    #: the struct whose attributes the parameters are, if several parameters make up the JSON body
    body: type
    #: the type of the answer's document, if the method returns another
    answer: Any
    #: the member of the answer's document that the method returns, if it does not return the whole
    gives: str
    #: the media type of an answer that is not JSON
    media: str
    #: the media type of an answer with one JSON document in each line, if it is not LINES
    lines: str
    #: the media type of a request's body that is not JSON
    uploads: str
    #: headers that the server's own code reads, with what they are
    headers: Mapping[str, str]
    #: the name of an operation that only moby has, for the error that another engine does not have it
    needs: str
    #: the sentence for the OpenAPI document, if it is not the first one of the method's docstring
    meaning: str


class Operation:
    """One operation: its HTTP method and path, and the method of the client that calls it, if there is one."""

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
        self.headers = details.get("headers", {})
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
        """One sentence that says what the operation does."""
        return _first_sentence(self._details.get("meaning") or (self._function.__doc__ if self._function else "") or "")

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self._function) if self._function else {}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in the order of the signature, then the fields that only the server reads.

        Raises ``TypeError`` for a declaration that contradicts itself.
        """
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
        """The media type of a body of bytes; empty without one."""
        return self._details.get("uploads") or (TAR if any(one.place == "upload" for one in self.parameters) else "")

    @cached_property
    def members(self) -> dict[str, str]:
        """From each parameter that is an attribute of the body to that attribute's name."""
        return {one.name: one.wire for one in self.parameters if one.place == "member"}

    @cached_property
    def options(self) -> dict[str, tuple[type, tuple[str, ...]]]:
        """From each parameter that is a struct, and is sent as fields of the query, to its type and the names of those attributes."""
        options: dict[str, tuple[type, tuple[str, ...]]] = {}
        for one in self._declared:
            name, dot, member = one.parameter.partition(".")
            if dot and self._function:
                kind, members = options.get(name, (self._types[name], ()))
                options[name] = kind, (*members, member)
        return options

    @cached_property
    def signature(self) -> Signature:
        """The signature of the method, without ``self``."""
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
        """The kind of the answer's body."""
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
        """The HTTP status of success."""
        silent = self._function is not None and self._types.get("return") is NoneType
        return self._details.get("status") or (204 if silent else 200)

    @cached_property
    def bind(self) -> Callable[..., dict[str, Any]]:
        """A function that returns a value for each parameter from the arguments of a call, defaults included.

        It raises ``TypeError`` for arguments that the method does not have, as a call of the method does.
        """
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
    """Declares a GET operation. ``declared`` are the parameters that are not sent as their name and type say."""
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
    """The operation that a method of a family declares. Raises ``KeyError`` for a method that declares none, but calls others."""
    operation: Operation = function.__dict__["operation"]
    return operation


def operations_of(family: type) -> Iterator[Operation]:
    """The operations of a family, in the order of their declarations."""
    for member in vars(family).values():
        if operation := getattr(member, "__dict__", {}).get("operation"):
            yield operation
