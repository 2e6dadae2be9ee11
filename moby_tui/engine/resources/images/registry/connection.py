"""Requests to one registry: authorized, redirected, and repeated where it is worth it.

https://github.com/opencontainers/distribution-spec. Everything a registry says is checked: redirects against where credentials may go, sizes
against what was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from moby_tui.engine.archive import limits
from moby_tui.engine.resources.images.registry import pace
from moby_tui.engine.resources.images.registry.answers import dialled, read, registry_error, retry_after
from moby_tui.engine.resources.images.registry.authorization import Authorization
from moby_tui.engine.resources.images.registry.hosts import PULL, PUSH, Host, proxy_for
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotFound, Unauthorized, Unreachable
from moby_tui.reference import Reference
from moby_tui.schema.image import RegistryAuth
from moby_tui.version import VERSION

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from yarl import URL

LOGIN = "login"
DELETE = "delete"
PIECE = 1 << 20
#: aiohttp stops reading from a socket when it holds twice as many bytes.
_READ_AHEAD = 128 << 10
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
#: The longest ``Retry-After`` that is waited for; a longer one fails the request.
_LONGEST_WAIT = 120.0
_REDIRECTS = 5
#: A token takes a connection, an answer and its body: so many times the patience.
_TOKEN_PATIENCE = 4
#: Bytes of a piece of an upload; the host must take each within the patience.
_TAKEN_AT_ONCE = 64 << 10
#: How many requests to one registry run at the same time.
_AT_ONCE = 16
_RETRIED = frozenset((408, 429, 500, 502, 503, 504))

Body = Callable[[], bytes | AsyncIterator[bytes]]
T = TypeVar("T")


class Retry(Unreachable):
    """Raised for a failure that may pass: try again, not before ``after`` seconds."""

    def __init__(self, message: str, after: float = 0) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Answer:
    """An answer with its whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """Requests to one host for one repository. Use as a context manager; raises ``MobyError``."""

    def __init__(
        self,
        reference: Reference,
        host: Host,
        auth: RegistryAuth | None,
        options: EngineOptions,
        *,
        patience: float | None = None,
        purpose: str,
        scopes: Iterable[str] = (),
        nobody: bool = False,
    ) -> None:
        """``patience``: seconds of silence after which a request fails; None: as the limits say.
        ``scopes`` are asked for with each token, whatever the single request needs; empty: what the registry names.
        ``nobody``: no login is used."""
        self._host = host
        self._reference = reference
        self._patience = limits.value(limits.PATIENCE) if patience is None else patience
        self._purpose = purpose
        self._attempts = options.max_download_attempts
        #: whether the host has answered anything yet
        self._met = False
        self._session: ClientSession | None = None
        self.authorization = Authorization(reference, host, auth, options, list(scopes), offline=purpose == LOGIN, nobody=nobody)

    async def __aenter__(self) -> Connection:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        await self.authorization.prepare()
        timeout = ClientTimeout(total=None, sock_connect=self._patience, sock_read=self._patience)
        self._session = ClientSession(
            connector=TCPConnector(ssl=await in_thread(self._host.tls), limit_per_host=_AT_ONCE),
            timeout=timeout,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            headers={"User-Agent": f"moby/{VERSION}", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._session
        await self._session.close()

    # Tries

    async def persist(self, work: Callable[[], Awaitable[T]], reached: Callable[[], int] = lambda: 0) -> T:
        """The work's result. Failures that may pass are tried again, with growing pauses or when the registry says.

        It gives up after a few in a row that ``reached`` no further: so few bytes do not count as ``pace.body`` would not wait for."""
        failures = 0
        while True:
            before = reached()
            try:
                return await work()
            except Exception as error:
                advanced = reached() - before >= pace.least()
                failures = 1 if advanced else failures + 1
                meaning = self._meaning(error, advanced=advanced)
                if meaning is None:
                    raise
                if not isinstance(meaning, Retry):
                    raise meaning from error
                if failures >= self._attempts or meaning.after > _LONGEST_WAIT:
                    raise Unreachable(meaning.message) from error
                await asyncio.sleep(max(meaning.after, _pause(failures)))

    def _meaning(self, error: Exception, *, advanced: bool) -> MobyError | None:
        """The error to raise for a failure; None to raise the failure itself."""
        from aiohttp import (
            ClientConnectorCertificateError,
            ClientConnectorError,
            ClientError,
            ClientResponseError,
            ClientSSLError,
            InvalidURL,
        )

        domain = self._reference.domain
        if isinstance(error, Retry):
            return error
        if isinstance(error, TimeoutError):  # a host that has sent nothing is not tried again: the patience was long
            kind = Retry if advanced else Unreachable
            return kind(f"registry {domain} does not answer; check the network and try again")
        if isinstance(error, ClientConnectorCertificateError | ClientSSLError):
            return Unreachable(f"registry {domain} cannot be trusted: {error}")
        if isinstance(error, InvalidURL):
            return InvalidArgument(f"registry {domain} has no valid address")
        if isinstance(error, ClientResponseError):
            return Unreachable(f"registry {domain} answers with what is no HTTP; check its address and port")
        if isinstance(error, ClientError | ConnectionError):
            # as with dockerd, one that refuses the first connection, or has no address, is not tried again
            kind = Unreachable if isinstance(error, ClientConnectorError) and not self._met else Retry
            return kind(f'Get "{self._host.base}/": {dialled(error)}')
        return None

    # One request

    async def ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        accepted: tuple[int, ...],
        *,
        limit: int = 0,
        body: Body | None = None,
    ) -> Answer:
        """Sends a request, with retries, and returns the answer. ``limit``: the largest body in bytes; 0 leaves the body unread."""

        async def once() -> Answer:
            async with self.exchange(method, url, headers, accepted, body) as response:
                content = await read(response, limit, "answer") if limit else b""
                return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

        return await self.persist(once)

    @asynccontextmanager
    async def exchange(
        self, method: str, url: str, headers: dict[str, str], accepted: tuple[int, ...], body: Body | None = None
    ) -> AsyncIterator[ClientResponse]:
        """An answer with one of the ``accepted`` statuses, authorized and redirected as needed. ``body`` makes the content, for each try."""
        tried = self.authorization.header
        response = await self._request(method, url, headers, body)
        try:
            if response.status == 401 and self.authorization.renewable:
                challenges = response.headers.getall("WWW-Authenticate", [])
                response.release()
                assert self._session
                async with asyncio.timeout(_TOKEN_PATIENCE * self._patience):
                    await self.authorization.renew(self._session, challenges, tried, self._refusal)
                response = await self._request(method, url, headers, body)
            if response.status not in accepted:
                raise await self._refusal(response)
            yield response
        finally:
            response.close()

    async def _request(self, method: str, url: str, headers: dict[str, str], body: Body | None) -> ClientResponse:
        """Follows redirects by hand: credentials go to the registry's own origin only, and never from TLS to plain text."""
        from yarl import URL

        assert self._session
        at = URL(url, encoded=True)
        origin = URL(self._host.base).origin()
        for _ in range(_REDIRECTS + 1):
            own = self._host.headers if at.origin() == origin else {}
            if self.authorization.header and at.origin() == origin:
                own = own | {"Authorization": self.authorization.header}
            # the time to connect and to get the headers, even if bytes of them keep coming
            async with asyncio.timeout(2 * self._patience) as deadline:
                data = _watched(body(), deadline) if body else None
                response = await self._session.request(
                    method, at, headers=headers | own, data=data, allow_redirects=False, proxy=proxy_for(at)
                )
            self._met = True
            if response.status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD"):
                return response
            location = response.headers.get("Location", "")
            response.release()
            at = self.join(str(at), location)
        raise MobyError(f"registry {self._reference.domain} redirects in circles; ask its operator")

    def join(self, at: str, location: str) -> URL:
        """The target of a redirect from ``at``. Raises ``MobyError`` for a bad address, and for one without TLS if ``at`` has it."""
        from yarl import URL

        here = URL(at, encoded=True)
        try:
            to = here.join(URL(location, encoded=True))
        except ValueError as error:
            raise MobyError(f"registry {self._reference.domain} redirects to {location[:200]!r}, which is no address") from error
        if not location or to.scheme not in ("http", "https") or (here.scheme == "https" and to.scheme == "http"):
            raise MobyError(f"registry {self._reference.domain} redirects to {location[:200]!r}; that is not safe to follow")
        return to

    async def _refusal(self, response: ClientResponse) -> MobyError:
        """The error for an answer with an error status, in Docker's words."""
        domain, name, which = self._reference.domain, self._reference.familiar_repository, self._reference.familiar
        code, message = await registry_error(response)
        status, text = response.status, message or response.reason
        if status in _RETRIED:
            after = retry_after(response.headers.get("Retry-After", ""))
            when = f"in {after:.0f} seconds" if after > _LONGEST_WAIT else "later"
            return Retry(f"registry {domain} answers {status} {text}; try again {when}", after)
        if self._purpose == LOGIN and status in (401, 403):
            return Unauthorized(f"login attempt to {self._host.base}/ failed with status: {status} {response.reason}")
        if self._purpose == LOGIN:
            return MobyError(f"{self._host.base}/ answers {status}: there is no registry; check its name")
        said = ": ".join(filter(None, (code.lower().replace("_", " "), message)))
        if status == 401 and self._reference.path and self.authorization.anonymous and _asks_for_password(response):
            at = f'{response.method.capitalize()} "{response.url}": ' if self._purpose == PULL else ""
            return Unauthorized(f"{at}no basic auth credentials")
        if self._purpose in (PUSH, DELETE) and status in (401, 403):
            denied = f"{self._purpose} access denied for {name}"
            return Unauthorized(
                (said or denied) if self._purpose == PUSH else f"{denied}: log in to {domain} with an account that may"
            )
        if not self._reference.path and status == 404:
            return NotFound(f"registry {domain} has no list of its repositories")
        if not self._reference.path and status in (401, 403):
            return Unauthorized(f"registry {domain} refuses to list what it has: {text}; log in with an account that may")
        if status == 404 and code in ("MANIFEST_UNKNOWN", "BLOB_UNKNOWN", ""):
            return NotFound(f"manifest for {which} not found: manifest unknown: {message or 'manifest unknown'}")
        if status == 404 and code == "NAME_UNKNOWN":
            return NotFound(f"repository {name} not found: {said}")
        if status in (401, 403, 404) and (self.authorization.anonymous or status != 401):
            return NotFound(
                f"pull access denied for {name}, repository does not exist or may require 'docker login'"
                + (f": {said}" if said else "")
            )
        if status == 401:
            return Unauthorized(f"unauthorized: registry {domain} refuses the login given; log in again")
        return MobyError(f"registry {domain} answers {status} {text}")


def _asks_for_password(response: ClientResponse) -> bool:
    """True if the registry takes a name and a password with each request, instead of a token."""
    return any(one.lower().startswith("basic") for one in response.headers.getall("WWW-Authenticate", []))


def _watched(body: bytes | AsyncIterator[bytes], deadline: asyncio.Timeout) -> bytes | AsyncIterator[bytes]:
    """Passes the content on, and extends the deadline while the host takes it at the lowest rate."""
    clock = asyncio.get_running_loop().time
    rate = limits.value(limits.LEAST_RATE)
    when = deadline.when()
    patience = when - clock() if when is not None else 0.0
    if isinstance(body, bytes):
        deadline.reschedule(clock() + patience + len(body) / rate)
        return body

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in body:
            for at in range(0, len(piece), _TAKEN_AT_ONCE):
                part = piece[at : at + _TAKEN_AT_ONCE]
                deadline.reschedule(clock() + patience + len(part) / rate)
                yield part
        deadline.reschedule(clock() + patience)

    return pieces()


def _pause(failures: int) -> float:
    """The pause before the next try: longer after each failure, with a random part, so that clients do not come back all at once."""
    from random import uniform

    return min(_FIRST_PAUSE * 3.0 ** (failures - 1), _LONGEST_PAUSE) * uniform(0.75, 1.25)
