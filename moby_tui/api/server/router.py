"""From method and path to the handler.

aiohttp's own router answers a wrong method with 405 and knows nothing of versions; the Docker Engine answers 404, and its
greedy names (``/images/reg:5000/a/b:tag/json``) are simplest as regular expressions.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from aiohttp import web

from moby_tui.api.operations.fields import Field
from moby_tui.api.operations.operation import Details, Operation, operation_of, operations_of
from moby_tui.api.operations.parameters import VARIABLE
from moby_tui.api.server.binding import Binding
from moby_tui.api.server.versions import OLDEST, ApiVersion, parse

if TYPE_CHECKING:
    from moby_tui.api.server.call import Call

Handler = Callable[["Call"], Awaitable[web.StreamResponse]]
#: Brings an answer into the shape that a version of the API has.
Shape = Callable[[Any, ApiVersion], Any]


@dataclass(frozen=True)
class Route:
    """An operation what answers it, and the path under which it does. ``since`` is the first API version that has it."""

    binding: Binding
    handler: Handler
    path: str
    since: ApiVersion = OLDEST

    @property
    def operation(self) -> Operation:
        return self.binding.operation

    def pattern(self) -> re.Pattern[str]:
        """``{name}`` stands for one path segment, ``{name:.*}`` for what the expression says."""
        parts = VARIABLE.split(self.path)
        expression = re.escape(parts[0])
        for name, inner, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            expression += f"(?P<{name}>{inner or '[^/]+'}){re.escape(literal)}"
        return re.compile(expression)


class RouteTable:
    """The routes of one module: those of a family's operations, and those that are no method of the client."""

    def __init__(self, family: type | None = None, default: Callable[[Operation, Shape | None], Handler] | None = None) -> None:
        """``default`` makes the handler of an operation for which the module has none of its own."""
        self._operations = list(operations_of(family)) if family else []
        self._default = default
        self._handlers: dict[Operation, Handler] = {}
        self._shapes: dict[Operation, Shape] = {}
        self._aliases: list[tuple[str, Operation]] = []

    @property
    def routes(self) -> list[Route]:
        listed = [(operation.path, operation) for operation in self._operations]
        return [self._route(operation, path) for path, operation in [*listed, *self._aliases]]

    def _route(self, operation: Operation, path: str) -> Route:
        handler = self._handlers.get(operation)
        if handler is None:
            assert self._default is not None
            handler = self._default(operation, self._shapes.get(operation))
        return Route(Binding(operation), handler, path, parse(operation.since) if operation.since else OLDEST)

    def handles(self, function: Callable[..., Any]) -> Callable[[Handler], Handler]:
        """Decorates the handler of an operation of the family: the table decodes the request (``call.read()``), the handler answers it."""

        def register(handler: Handler) -> Handler:
            self._handlers[operation_of(function)] = handler
            return handler

        return register

    def shapes(self, function: Callable[..., Any], shape: Shape) -> None:
        """An operation's answer is brought into its version's shape."""
        self._shapes[operation_of(function)] = shape

    def also(self, path: str, function: Callable[..., Any]) -> None:
        """An operation answers under this path too."""
        self._aliases.append((path, operation_of(function)))

    def add(self, method: str, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        """The decorated function answers an operation that is no method of the client; ``details``: see ``Details``."""

        def register(handler: Handler) -> Handler:
            details.setdefault("meaning", handler.__doc__ or "")
            operation = Operation(method, path, declared, **details)
            self._operations.append(operation)
            self._handlers[operation] = handler
            return handler

        return register

    def get(self, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self.add("GET", path, *declared, **details)

    def post(self, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self.add("POST", path, *declared, **details)

    def put(self, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self.add("PUT", path, *declared, **details)

    def delete(self, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self.add("DELETE", path, *declared, **details)

    def head(self, path: str, *declared: Field, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self.add("HEAD", path, *declared, **details)


class Router:
    """All routes. A path without variables is looked up first; among those that begin alike the first that matches wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._routes: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            method, path = route.operation.method, route.path
            if VARIABLE.search(path):
                self._routes.setdefault((method, _beginning(path)), []).append((route.pattern(), route))
            else:
                self._fixed.setdefault((method, path), route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        if fixed := self._fixed.get((method, path)):
            return fixed, {}
        for pattern, route in self._routes.get((method, _beginning(path)), ()):
            if match := pattern.fullmatch(path):
                return route, match.groupdict()
        return None


def cleaned(path: str) -> str:
    """The path without empty parts, ``.`` and ``..``; a slash at its end stays. The Docker Engine sends a client there."""
    if "//" not in path and "/." not in path:
        return path
    shortest = "/" + posixpath.normpath(path).lstrip("/")
    return shortest + "/" if path.endswith("/") and shortest != "/" else shortest


def _beginning(path: str) -> str:
    """The first part of a path, which no route has as a variable."""
    return path.partition("/")[2].partition("/")[0]
