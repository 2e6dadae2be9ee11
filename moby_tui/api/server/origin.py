"""Who a request over TCP claims to call, and from where: no web page may drive the engine through its reader's browser.

A page sends ``POST`` with a plain body to any address without asking (Fetch standard, "simple" requests), and after its own name
was given the engine's address (DNS rebinding) also reads the answers. A browser tells both: ``Origin`` (RFC 6454) or
``Sec-Fetch-Site`` in the one case, the page's name in ``Host`` in the other.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from aiohttp import web

from moby_tui.errors import Forbidden

_FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})
_ADVICE = "call this engine by its address or localhost, or name the host with `moby daemon --allowed-host`"


def check(request: web.BaseRequest, names: Collection[str], *, advice: str = _ADVICE) -> None:
    """Raises ``Forbidden`` for a request over TCP that names another host than this one, or comes from a page of another.

    This one is called by the address that the connection came to, by a loopback address, ``localhost``, the machine's name, or one
    of ``names``. Only clients that are no browsers send no ``Host`` (HTTP/1.0). With TLS the name was checked by the client, a browser
    too, against the certificate. ``advice`` says what to call it.
    """
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is None or sock.family == socket.AF_UNIX:
        return
    own = sock.getsockname()[0]
    host = request.headers.get("Host", "")
    # a whole URL in the request line goes before the header (RFC 9112, 3.2.2)
    encrypted = request.transport is not None and request.transport.get_extra_info("ssl_object") is not None
    for called in () if encrypted else (host, request._message.url.raw_authority):
        if called and not _is_own(_name(called), own, names):
            raise Forbidden(f"refusing a request to {called[:80]!r} on {own}: it may come from a web page; {advice}")
    origin = request.headers.get("Origin")
    # "null", or a scheme, "://" and what a browser has in Host (RFC 6454, 6.2)
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        raise Forbidden(f"refusing a request from a web page of {origin[:80]!r}")
    if request.headers.get("Sec-Fetch-Site", "").lower() in _FROM_ELSEWHERE:
        raise Forbidden("refusing a request from a web page of another host")


def _name(authority: str) -> str:
    """Without the port, the brackets of an IPv6 address, and the dot that ends a whole name."""
    host = authority.rpartition("@")[2]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host.lower().rstrip(".")


def _is_own(name: str, address: str, names: Collection[str]) -> bool:
    if name in ("localhost", socket.gethostname().lower()) or name.endswith(".localhost"):
        return True
    if name in (allowed.lower().rstrip(".") for allowed in names):
        return True
    try:
        given = ipaddress.ip_address(name)
    except ValueError:
        return False
    return given.is_loopback or given == ipaddress.ip_address(address.partition("%")[0])
