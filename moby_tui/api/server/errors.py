"""Errors as answers."""

from __future__ import annotations

import logging

from aiohttp import web

from moby_tui.api.server.answers import json
from moby_tui.api.server.versions import HEADERS, TooOld
from moby_tui.errors import MobyError, NotFound, NotModified, refused_by_system

log = logging.getLogger(__name__)
#: A client that shows what it cannot read as JSON as it is must not take it for a page of HTML.
_PLAIN = {"X-Content-Type-Options": "nosniff"}


class PageNotFound(NotFound):
    """Unknown path, or a method that the path does not have."""

    def __init__(self) -> None:
        super().__init__("page not found")


def answer(error: Exception) -> web.Response:
    """``{"message": ...}`` with the error's status; 304 has no body. What is none of our errors is a bug, and logged."""
    if isinstance(error, NotModified):
        return web.Response(status=error.status, headers=HEADERS)
    if isinstance(error, TooOld):
        return web.Response(text=f"{error.message}\n", status=error.status, headers=HEADERS | _PLAIN)
    if isinstance(error, MobyError):
        return json({"message": error.message}, error.status)
    if isinstance(error, web.RequestPayloadError):
        return json({"message": f"the request body was cut short or cannot be read: {error}"}, 400)
    if (refused := refused_by_system(error)) is not None:
        log.warning("request failed: %s", refused)
        return json({"message": refused.message}, refused.status)
    log.error("request failed", exc_info=error)
    return json({"message": f"internal error: {type(error).__name__}: {error}"}, 500)
