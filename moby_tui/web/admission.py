"""Who may use the dashboard in a browser: who has the token of the address, on a page of this server's own.

The token is in the address that ``moby tui --web`` prints. The first request with it gets a cookie, and the browser is sent on to an
address without it. Browsers send cookies to every port of a host, which other users of the machine may listen on: the cookie holds for a
path only (RFC 6265, 5.1.4) that is random.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection

from aiohttp import web

from moby_tui.api.server import origin
from moby_tui.errors import Forbidden

_COOKIE = "moby-dashboard"
_ADVICE = "open the dashboard by the address of this machine or localhost, or name the host with `moby tui --web --allowed-host`"


class Admission:
    """The secrets of one server: they are new with each, and in its memory only."""

    def __init__(self, names: Collection[str] = ()) -> None:
        """``names``: what the server may be called besides its address, ``localhost`` and the machine's name."""
        self.token = secrets.token_urlsafe(32)
        #: the path of the page, without a slash at its end
        self.path = f"/{secrets.token_urlsafe(16)}"
        self._key = secrets.token_urlsafe(32)
        self._names = names

    def check_place(self, request: web.BaseRequest) -> None:
        """Raises ``Forbidden`` for a request that a page of another site makes, or that calls this server by another host's name."""
        origin.check(request, self._names, advice=_ADVICE)

    def admit(self, request: web.BaseRequest) -> web.Response:
        """Answers the request with the token: the cookie, and the way to the page. Raises ``Forbidden`` without the right token."""
        if not _same(request.query.get("token", ""), self.token):
            raise Forbidden("the token is missing or wrong: use the whole address that `moby tui --web` has printed")
        response = web.Response(status=303, headers={"Location": f"{self.path}/"})
        response.set_cookie(_COOKIE, self._key, path=self.path, httponly=True, samesite="Strict")
        return response

    def check_key(self, request: web.BaseRequest) -> None:
        """Raises ``Forbidden`` for a request without the cookie."""
        if not _same(request.cookies.get(_COOKIE, ""), self._key):
            raise Forbidden("this browser is not admitted (any more): use the address that `moby tui --web` has printed")

    def check_socket(self, request: web.BaseRequest) -> None:
        """Raises ``Forbidden`` for a WebSocket of no page: browsers name the page (RFC 6455, 4.1), others must too."""
        if "Origin" not in request.headers:
            raise Forbidden("a WebSocket is for the page only: the request has no Origin")


def _same(given: str, expected: str) -> bool:
    """Compares in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
