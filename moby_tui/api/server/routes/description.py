"""Ours, not Docker's: what the API has, as an OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web

from moby_tui.api.server.answers import json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import Route, RouteTable

table = RouteTable()
#: All that are described; the package fills it.
described: list[Route] = []


@cache
def _document() -> dict[str, Any]:
    from moby_tui.api.server.openapi import document  # few ask for it

    return document(route.operation for route in described if route.path == route.operation.path)


@table.get("/moby/openapi.json", answer=dict[str, Any])
async def openapi(call: Call) -> web.StreamResponse:
    """The OpenAPI document of the newest version of the API."""
    return json(_document())
