"""From method and path to the handler.

aiohttp's own router answers a wrong method with 405 and knows nothing of versions; the Docker Engine answers 404, and its
greedy names (``/images/reg:5000/a/b:tag/json``) are simplest as regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from moby_tui.api.server.versions import OLDEST, ApiVersion, parse

if TYPE_CHECKING:
    from moby_tui.api.server.call import Call

Handler = Callable[["Call"], Awaitable[web.StreamResponse]]
_VARIABLE = re.compile(r"\{(\w+)(?::([^}]*))?\}")


@dataclass(frozen=True)
class Route:
    """``since`` is the first API version that has the route.

    An ``abandoned`` one stops when the client goes away; the others run to their end. A ``lasting`` one is as long as something
    else: over TCP it stops at a half-close too, which a client that goes away looks like.
    """

    method: str
    path: str
    handler: Handler
    since: ApiVersion = OLDEST
    abandoned: bool = False
    lasting: bool = False

    def pattern(self) -> re.Pattern[str]:
        """``{name}`` stands for one path segment, ``{name:.*}`` for what the expression says."""
        parts = _VARIABLE.split(self.path)
        expression = re.escape(parts[0])
        for name, inner, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            expression += f"(?P<{name}>{inner or '[^/]+'}){re.escape(literal)}"
        return re.compile(expression)


class RouteTable:
    """Collects the handlers of one module."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(
        self, method: str, path: str, *, since: str = "", abandoned: bool = False, lasting: bool = False
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            first = parse(since) if since else OLDEST
            self.routes.append(Route(method, path, handler, first, abandoned or lasting, lasting))
            return handler

        return register

    def get(self, path: str, *, since: str = "", lasting: bool = False) -> Callable[[Handler], Handler]:
        """Reading: nobody misses the answer when the client is gone."""
        return self.add("GET", path, since=since, abandoned=True, lasting=lasting)

    def post(self, path: str, *, since: str = "", abandoned: bool = False, lasting: bool = False) -> Callable[[Handler], Handler]:
        return self.add("POST", path, since=since, abandoned=abandoned, lasting=lasting)

    def put(self, path: str) -> Callable[[Handler], Handler]:
        return self.add("PUT", path, abandoned=True)

    def delete(self, path: str) -> Callable[[Handler], Handler]:
        return self.add("DELETE", path)

    def head(self, path: str) -> Callable[[Handler], Handler]:
        return self.add("HEAD", path, abandoned=True)


class Router:
    """All routes; the first that matches wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            self._routes.setdefault(route.method, []).append((route.pattern(), route))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for pattern, route in self._routes.get(method, ()):
            if match := pattern.fullmatch(path):
                return route, match.groupdict()
        return None
