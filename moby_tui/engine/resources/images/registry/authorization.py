"""Authorization of requests to a registry: basic authorization, or a token from the token server (realm) that the registry names.

https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/. A realm's answers are checked as a registry's are; a login is
sent to it over TLS only.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from moby_tui.engine.resources.images.registry.answers import read
from moby_tui.engine.resources.images.registry.hosts import Host, is_loopback, proxy_for
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import MobyError
from moby_tui.logins import decoded, find
from moby_tui.reference import Reference
from moby_tui.schema.image import HeldLogin, RegistryAuth

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from yarl import URL

_CLIENT = "moby"
_TOKEN_LIMIT = 1 << 20
_CHALLENGE = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
#: The error for each status of a token server.
Refusal = Callable[["ClientResponse"], Awaitable[MobyError]]


class Authorization:
    """``header`` is the value of ``Authorization``, empty for none. ``identity``: an identity token to store, if any."""

    def __init__(
        self,
        reference: Reference,
        host: Host,
        auth: RegistryAuth | None,
        options: EngineOptions,
        scopes: list[str],
        *,
        offline: bool,
        nobody: bool,
    ) -> None:
        """``offline`` asks for such a token. Without ``auth`` the stored login is used, unless we are to be ``nobody`` there."""
        self._reference = reference
        self._host = host
        self._holder = auth if isinstance(auth, HeldLogin) else None
        self._auth = decoded(auth) if auth else None
        self._login_folder = options.login_folder
        self._scopes = scopes
        self._offline = offline
        self._nobody = nobody
        self._one_at_a_time = asyncio.Lock()
        self.header = ""
        self.identity = ""

    async def prepare(self) -> None:
        """Reads the stored login, perhaps from a credential helper, which may be slow."""
        if not self._nobody and self._holder is None:
            self._auth = self._auth or await in_thread(find, self._host.domain, self._login_folder)
        self.header = f"Bearer {self._auth.registrytoken}" if self._auth and self._auth.registrytoken else ""

    @property
    def anonymous(self) -> bool:
        return self._auth is None and self._holder is None

    @property
    def renewable(self) -> bool:
        """False for a token that the caller gave (``registrytoken``): there is no way to renew it."""
        return not self._nobody and not (self._auth and self._auth.registrytoken)

    async def renew(self, session: ClientSession, challenges: list[str], tried: str, refusal: Refusal) -> None:
        """Gets a new token after the registry has refused a request with the header ``tried``. Raises ``MobyError``."""
        async with self._one_at_a_time:
            if self.header != tried:
                return  # another request has renewed it meanwhile
            for challenge in challenges:
                scheme, _, rest = challenge.strip().partition(" ")
                parameters = {key.lower(): quoted or plain for key, quoted, plain in _CHALLENGE.findall(rest)}
                if scheme.lower() == "bearer" and "realm" in parameters:
                    self.header = f"Bearer {await self._token(session, parameters, refusal)}"
                    return
                if scheme.lower() == "basic" and self._holder is not None:
                    self._auth = await self._holder.login()
                if scheme.lower() == "basic" and self._auth and self._auth.password:
                    self.header = basic(self._auth)
                    return

    async def _token(self, session: ClientSession, challenge: dict[str, str], refusal: Refusal) -> str:
        realm = self._realm(challenge["realm"])
        scopes = self._scopes or [challenge.get("scope") or f"repository:{self._reference.path}:pull"]
        if self._holder is not None:
            held = await self._holder.token(str(realm), challenge.get("service", ""), scopes)
            if not _sendable(held):
                raise MobyError(f"the client sends no token of {realm.host}")
            return held
        service = {"service": challenge.get("service", "")}
        async with self._request(session, realm, service, [] if self._offline else scopes) as response:
            if response.status != 200:
                raise await refusal(response)
            answer = await _document(response, str(realm.host))
        token = answer.get("token") or answer.get("access_token")
        if not _sendable(token):
            raise MobyError(f"{realm.host} sends no token")
        refresh = answer.get("refresh_token")
        self.identity = str(refresh) if self._offline and _sendable(refresh) else ""
        return str(token)

    def _realm(self, address: str) -> URL:
        from yarl import URL

        try:
            realm = URL(address)
        except ValueError as error:
            raise MobyError(f"registry {self._reference.domain} sends a token realm that is no address") from error
        plain = realm.scheme == "http" and is_loopback(realm.host or "") and self._host.base.startswith("http:")
        if realm.scheme != "https" and not plain:
            raise MobyError(f"registry {self._reference.domain} wants tokens from {realm}, not over TLS; no login is sent there")
        return realm

    def _request(self, session: ClientSession, realm: URL, service: dict[str, str], scopes: list[str]) -> Any:
        """Asks the token server: with OAuth if there is an identity token, else with GET, which all token servers know."""
        proxy = proxy_for(realm)
        if self._auth and self._auth.identitytoken:
            form = service | {
                "scope": " ".join(scopes),
                "grant_type": "refresh_token",
                "refresh_token": self._auth.identitytoken,
                "client_id": _CLIENT,
            }
            return session.post(realm, data=form, allow_redirects=False, proxy=proxy)
        headers = {"Authorization": basic(self._auth)} if self._auth else {}
        query = service | ({"account": self._auth.username} if self._auth else {})
        if self._offline:
            query |= {"offline_token": "true", "client_id": _CLIENT}
        target = realm.update_query([*realm.query.items(), *query.items(), *(("scope", scope) for scope in scopes)])
        return session.get(target, headers=headers, allow_redirects=False, proxy=proxy)


def basic(auth: RegistryAuth) -> str:
    return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()


def _sendable(token: object) -> bool:
    """True if the token can be a header's value."""
    return isinstance(token, str) and bool(token) and token.isascii() and token.isprintable()


async def _document(response: ClientResponse, host: str) -> dict[str, Any]:
    try:
        answer = json.loads(await read(response, _TOKEN_LIMIT, "token"))
    except ValueError as error:
        raise MobyError(f"{host} sends a token that cannot be read") from error
    if not isinstance(answer, dict):
        raise MobyError(f"{host} sends a token that cannot be read")
    return answer
