"""From a request to the arguments of its operation's method: path, query, headers and body, as the table says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter as Python
from typing import Any, TypeVar

from aiohttp import web

from moby_tui.api.operations.fields import REQUIRED, Kind
from moby_tui.api.operations.operation import Operation
from moby_tui.api.operations.parameters import Parameter
from moby_tui.api.server import decode, versions

T = TypeVar("T")
_Field = Callable[[decode.Query], Any]
#: Parameters that path, query and headers do not have.
_ELSEWHERE = frozenset({"body", "member", "made"})


@dataclass(slots=True)
class Received:
    """A request, taken apart. ``params`` are the variables of the path, decoded."""

    request: web.BaseRequest
    version: versions.ApiVersion
    params: dict[str, str]
    query: decode.Query

    async def body(self, kind: type[T]) -> T:
        return await decode.json_body(self.request, kind)


Reader = Callable[[Received], Any]


class Binding:
    """The readers of one operation, made at its first request."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @cached_property
    def _fields(self) -> list[tuple[str, _Field]]:
        """Of the query, whatever the version."""
        return [(one.name, _field(one)) for one in self.operation.parameters if one.place == "query" and not one.since]

    @cached_property
    def _readers(self) -> list[tuple[str, Reader]]:
        """Of what else a request has before its body."""
        rest = [one for one in self.operation.parameters if one.place not in _ELSEWHERE]
        return [(one.name, _reader(one)) for one in rest if one.place != "query" or one.since]

    @cached_property
    def _options(self) -> list[tuple[str, tuple[type, tuple[str, ...]]]]:
        """The parameters that are structs, made of fields of the query."""
        return list(self.operation.options.items())

    @cached_property
    def _body(self) -> str:
        """The parameter that is the JSON body."""
        return next((one.name for one in self.operation.parameters if one.place == "body"), "")

    @cached_property
    def _named(self) -> tuple[str, ...]:
        return tuple(self._those(Python.KEYWORD_ONLY))

    @cached_property
    def _positional(self) -> tuple[str, ...]:
        return tuple(self._those(Python.POSITIONAL_OR_KEYWORD))

    def _those(self, kind: Any) -> Iterator[str]:
        return (one.name for one in self.operation.signature.parameters.values() if one.kind is kind)

    def read(self, received: Received) -> dict[str, Any]:
        """What path, query and headers say; raises ``InvalidArgument`` for what is malformed."""
        query = received.query
        values = {name: reader(received) for name, reader in self._readers}
        for name, field in self._fields:
            values[name] = field(query)
        for name, (kind, members) in self._options:
            values[name] = kind(**{member: values[f"{name}.{member}"] for member in members})
        return values

    async def arguments(self, received: Received) -> dict[str, Any]:
        """All of it, the body too."""
        values = self.read(received)
        if (kind := self.operation.body) is None:
            return values
        document = await received.body(kind)
        if self._body:
            values[self._body] = document
        for name, member in self.operation.members.items():
            values[name] = getattr(document, member)
        return values

    def call(self, method: Callable[..., Any], values: dict[str, Any]) -> Any:
        """Calls the method with the values of its parameters; others are left out."""
        return method(*[values[name] for name in self._positional], **{name: values[name] for name in self._named})


def _reader(parameter: Parameter) -> Reader:
    if parameter.place == "path":
        return lambda received, name=parameter.wire: received.params[name]  # type: ignore[misc]
    if parameter.place == "upload":
        return lambda received: received.request.content.iter_any()
    if parameter.place == "auth":
        return lambda received: decode.registry_auth(received.request.headers.get("X-Registry-Auth"))
    read, since, default = _field(parameter), versions.parse(parameter.since), parameter.default
    return lambda received: read(received.query) if received.version >= since else default


#: For each kind how its value is read from the query; the last argument is the value of a field that is absent or empty.
_FORMS: dict[Kind, Callable[[decode.Query, Parameter, Any], Any]] = {
    "text": lambda query, field, missing: query.text(field.wire) or missing,
    "flag": lambda query, field, missing: query.flag(field.wire, bool(missing)),
    "inverse": lambda query, field, missing: not query.flag(field.wire, not missing),
    "boolean": lambda query, field, missing: query.boolean(field.wire, bool(missing)),
    "integer": lambda query, field, missing: query.integer(field.wire) if query.text(field.wire) else missing,
    "count": lambda query, field, _: max(query.integer(field.wire), 0),
    "dimension": lambda query, field, _: query.dimension(field.wire),
    "path": lambda query, field, missing: query.path(field.wire, required=field.default is REQUIRED) or missing,
    "texts": lambda query, field, _: query.all(field.wire),
    "filters": lambda query, field, _: query.filters(field.keys),
    "any_filters": lambda query, field, _: {key: texts for key, texts in query.filters(None).items() if key in field.keys},
    "map": lambda query, field, _: query.map(field.wire),
    "moment": lambda query, field, _: query.moment(field.wire),
    "timestamp": lambda query, field, _: query.timestamp(field.wire),
    "tail": lambda query, field, _: query.tail(field.wire),
    "reference": lambda query, field, _: query.reference(field.wire),
    "platform": lambda query, field, _: query.platform(field.wire),
    "platforms": lambda query, field, _: query.platforms(field.wire),
}


def _field(parameter: Parameter) -> _Field:
    """The field of the query; one that is absent or empty is the default."""
    read, missing = _FORMS[parameter.kind], "" if parameter.default is REQUIRED else parameter.default
    return lambda query: read(query, parameter, missing)
