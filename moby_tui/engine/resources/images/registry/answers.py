"""Reads answers of registries and token servers with a limit, since a hostile one may send without end."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING

from moby_tui.engine.resources.images.registry import pace
from moby_tui.errors import MobyError

if TYPE_CHECKING:
    from aiohttp import ClientResponse

_ERROR_LIMIT = 1 << 16


def retry_after(text: str) -> float:
    """The seconds of a ``Retry-After`` header (RFC 9110, 10.2.3), which may also be a date; 0 if it is missing or malformed."""
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    if not text:
        return 0
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0


async def read(response: ClientResponse, limit: int, what: str) -> bytes:
    """A body of at most ``limit`` bytes. Raises ``MobyError`` for a larger one, and what ``pace.body`` does."""
    body = bytearray()
    async for data in pace.body(response):
        body += data
        if len(body) > limit:
            raise MobyError(f"the registry sends a {what} of more than {limit} bytes; refused")
    return bytes(body)


async def registry_error(response: ClientResponse) -> tuple[str, str]:
    """Code and message of the first error in the body, made one printable line; empty if there is none."""
    try:
        first = json.loads(await read(response, _ERROR_LIMIT, "error"))["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (MobyError, ValueError, LookupError, TypeError, AttributeError):
        return "", ""
    return code, printable(message)[:300]


def printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def dialled(error: Exception) -> str:
    """Why no connection came about, in the words of Go's ``net``."""
    from aiohttp import ClientConnectorDNSError, ClientConnectorError

    if not isinstance(error, ClientConnectorError):
        return str(error)
    cause = error.os_error
    if isinstance(error, ClientConnectorDNSError):
        no_such = isinstance(cause, socket.gaierror) and cause.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        return f"dial tcp: lookup {error.host}: {'no such host' if no_such else cause.strerror or cause}"
    reason = os.strerror(cause.errno).lower() if cause.errno else str(cause)
    host = f"[{error.host}]" if ":" in error.host else error.host
    return f"dial tcp {host}:{error.port}: connect: {reason}"
