"""A client of the OCI distribution API: manifests, blobs, tokens.

https://github.com/opencontainers/distribution-spec, https://distribution.github.io/distribution/spec/auth/token/.
Everything a registry says is checked: sizes and digests against what was asked for, redirects and token realms against where
credentials may go.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.resources.images.content import Ingest, digest_of
from moby_tui.engine.resources.images.hosts import PULL, PUSH, RESOLVE, Host, hosts_of, is_loopback
from moby_tui.engine.resources.images.reference import Reference
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.errors import InvalidArgument, MobyError, NotFound, Unauthorized, Unavailable
from moby_tui.logins import decoded, find
from moby_tui.schema import oci
from moby_tui.schema.image import RegistryAuth
from moby_tui.version import VERSION

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from yarl import URL

LOGIN = "login"
#: Seconds of silence, in connecting or in the middle of an answer, after which a registry counts as hanging.
PATIENCE = 30.0
#: As containerd and the distribution registry: a manifest is a small thing.
MANIFEST_LIMIT = 4 << 20
_TOKEN_LIMIT = 1 << 20
_ERROR_LIMIT = 1 << 16
_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_REDIRECTS = 5
_PIECE = 1 << 20
_RETRIED = frozenset((408, 429, 500, 502, 503, 504))
_MANIFEST_TYPES = (oci.MEDIA_INDEX, oci.DOCKER_INDEX, oci.MEDIA_MANIFEST, oci.DOCKER_MANIFEST)
_CHALLENGE = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


Body = Callable[[], bytes | AsyncIterator[bytes]]


@dataclass(frozen=True)
class Fetched:
    """A manifest or index as it came, with the digest that it really has."""

    media_type: str
    digest: str
    body: bytes


class Registry:
    """One repository in one registry. Use as ``async with Registry(reference, auth) as registry``."""

    def __init__(
        self,
        reference: Reference,
        auth: RegistryAuth | None = None,
        *,
        patience: float = PATIENCE,
        purpose: str = PULL,
        sources: Iterable[str] = (),
        host: Host | None = None,
    ) -> None:
        """``purpose`` PUSH asks for rights to write; ``sources``: repositories beside it, of which only reading is asked for.
        Without ``auth`` the stored login is used. ``host`` is where it is spoken to, by default the registry itself."""
        self._host = host or hosts_of(reference.domain)[-1]
        self._base = f"{self._host.base}/{reference.path}"
        self._reference = reference
        self._auth = decoded(auth) if auth else None
        self._authorization = ""
        self._patience = patience
        self._session: ClientSession | None = None
        self._authorizing = asyncio.Lock()
        self._purpose = purpose
        #: what a token is asked for, whatever the single request needs; empty: what the registry names
        self._scopes = [f"repository:{reference.path}:pull,push"] if purpose == PUSH else []
        self._scopes += [f"repository:{source}:pull" for source in sources]

    async def __aenter__(self) -> Registry:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        # a credential helper may take its time
        self._auth = self._auth or await in_thread(find, self._host.domain)
        self._authorization = f"Bearer {self._auth.registrytoken}" if self._auth and self._auth.registrytoken else ""
        timeout = ClientTimeout(total=None, sock_connect=self._patience, sock_read=self._patience)
        self._session = ClientSession(
            connector=TCPConnector(ssl=await in_thread(self._host.tls)),
            timeout=timeout,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_PIECE,
            headers={"User-Agent": f"moby/{VERSION}", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._session
        await self._session.close()

    async def login(self) -> None:
        """Asks whether the registry takes the login that was given. Raises ``Unauthorized``, ``Unavailable``."""
        async for attempt in self._attempts():
            async with attempt, self._exchange("GET", self._base, {}, (200,)):
                return

    async def manifest(self, which: str) -> Fetched:
        """A manifest or index by tag or digest. Raises ``NotFound``, ``Unauthorized``, ``Unavailable``."""
        url = f"{self._base}/manifests/{which}"
        async for attempt in self._attempts():
            async with attempt, self._get(url, {"Accept": ", ".join(_MANIFEST_TYPES)}) as response:
                body = await _read(response, MANIFEST_LIMIT, "manifest")
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
                digest = digest_of(body)
                if which.startswith("sha256:") and digest != which:
                    raise MobyError(
                        f"manifest verification failed: expected {which}, received {digest}; do not trust this registry"
                    )
                return Fetched(media_type, digest, body)
        raise AssertionError("attempts end with a result or an error")

    async def blob(self, descriptor: oci.Descriptor, ingest: Ingest, progress: Callable[[int], None]) -> None:
        """Fetches a blob into ``ingest`` and verifies it; resumes where a connection broke. ``progress`` hears the bytes."""
        url = f"{self._base}/blobs/{descriptor.digest}"
        async for attempt in self._attempts():
            headers = {"Range": f"bytes={ingest.size}-"} if ingest.size else {}
            async with attempt, self._get(url, headers) as response:
                skip = ingest.size if response.status != 206 else 0  # it does not resume: what we have comes again
                await _receive(response, ingest, descriptor, skip, progress)
                break
        ingest.verify(descriptor.digest, descriptor.size)

    # Writing

    async def has_blob(self, digest: str) -> bool:
        """Whether the repository has it already."""
        async for attempt in self._attempts():
            async with attempt, self._exchange("HEAD", f"{self._base}/blobs/{digest}", {}, (200, 404)) as response:
                return response.status == 200
        raise AssertionError("attempts end with a result or an error")

    async def mount_blob(self, digest: str, source: str) -> bool:
        """Has it taken over from another repository of the same registry; False where that cannot be."""
        url = f"{self._base}/blobs/uploads/?mount={digest}&from={source}"
        async for attempt in self._attempts():
            async with attempt, self._exchange("POST", url, {}, (201, 202)) as response:
                if response.status == 201:
                    return True
                await self._abandon(response.headers.get("Location", ""))
                return False
        raise AssertionError("attempts end with a result or an error")

    async def _abandon(self, location: str) -> None:
        """Ends an upload that was begun and is not wanted, so that nothing of it is kept; many registries do not let themselves be told."""
        with suppress(MobyError):
            async with self._exchange("DELETE", str(self._join(f"{self._base}/", location)), {}, (202, 204)):
                pass

    async def upload(self, descriptor: oci.Descriptor, file: Path, progress: Callable[[int], None]) -> None:
        """Sends a blob in one piece; the registry compares its digest. A connection that breaks begins it anew."""
        async for attempt in self._attempts():
            async with attempt:
                async with self._exchange("POST", f"{self._base}/blobs/uploads/", {"Content-Length": "0"}, (202,)) as begun:
                    location = self._join(str(begun.url), begun.headers.get("Location", ""))
                target = str(location.update_query({**location.query, "digest": descriptor.digest}))
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(descriptor.size)}
                async with self._exchange("PUT", target, headers, (201,), lambda: _pieces(file, progress)):
                    return

    async def put_manifest(self, which: str, media_type: str, body: bytes) -> None:
        """By tag or digest. Raises ``MobyError`` where the registry does not take it."""
        url = f"{self._base}/manifests/{which}"
        async for attempt in self._attempts():
            async with attempt, self._exchange("PUT", url, {"Content-Type": media_type}, (201,), lambda: body):
                return

    # One request

    def _get(self, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[ClientResponse]:
        return self._exchange("GET", url, headers, (200, 206))

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], accepted: tuple[int, ...], body: Body | None = None
    ) -> AsyncIterator[ClientResponse]:
        """An answer with one of the ``accepted`` statuses, authorized and redirected as needed. ``body`` makes what is sent, each time."""
        tried = self._authorization
        response = await self._request(method, url, headers, body)
        try:
            if response.status == 401 and not (self._auth and self._auth.registrytoken):
                challenge = response.headers.getall("WWW-Authenticate", [])
                response.release()
                await self._authorize(challenge, tried)
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
        origin = URL(self._base).origin()
        for _ in range(_REDIRECTS + 1):
            own = self._host.headers if at.origin() == origin else {}
            if self._authorization and at.origin() == origin:
                own = own | {"Authorization": self._authorization}
            data = body() if body else None
            response = await self._session.request(
                method, at, headers=headers | own, data=data, allow_redirects=False, proxy=_proxy(at)
            )
            if response.status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD"):
                return response
            location = response.headers.get("Location", "")
            response.release()
            at = self._join(str(at), location)
        raise MobyError(f"registry {self._reference.domain} redirects in circles; ask its operator")

    def _join(self, at: str, location: str) -> URL:
        """Where an answer from ``at`` sends us. Raises ``MobyError`` where that is no address, or not as safe as where we are."""
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
        """The error an answer means, with Docker's texts."""
        name, which = self._reference.familiar_repository, self._reference.familiar
        code, message = await _registry_error(response)
        if response.status in _RETRIED:
            return _Retry(
                f"registry {self._reference.domain} answers {response.status} {message or response.reason}; try again later"
            )
        if self._purpose == LOGIN and response.status in (401, 403):
            reason = message or "incorrect username or password"
            return Unauthorized(f"login attempt to {self._base} failed with status {response.status}: {reason}")
        if self._purpose == PUSH and response.status in (401, 403):
            reason = f": {message}" if message else ""
            return Unauthorized(
                f"push access denied for {name}{reason}; log in to {self._reference.domain} with an account that may write there"
            )
        if response.status == 404 and code in ("MANIFEST_UNKNOWN", "BLOB_UNKNOWN", ""):
            return NotFound(f"manifest for {which} not found: {message or 'manifest unknown'}; check the tag")
        if response.status in (401, 403, 404) and (not self._auth or response.status != 401):
            return NotFound(
                f"pull access denied for {name}, repository does not exist or may require 'docker login'"
                + (f": {message}" if message else "")
            )
        if response.status == 401:
            return Unauthorized(f"unauthorized: registry {self._reference.domain} refuses the login given; log in again")
        return MobyError(f"registry {self._reference.domain} answers {response.status} {message or response.reason}")

    # Tries

    async def _attempts(self) -> AsyncIterator[_Attempt]:
        """Attempts with growing pauses between; the last one's error is final."""
        pause = _FIRST_PAUSE
        for number in range(1, _ATTEMPTS + 1):
            attempt = _Attempt(self._reference.domain, final=number == _ATTEMPTS)
            yield attempt
            await asyncio.sleep(pause)
            pause = min(pause * 3, _LONGEST_PAUSE)

    # Authorization

    async def _authorize(self, challenges: list[str], tried: str) -> None:
        async with self._authorizing:
            if self._authorization != tried:
                return  # another request has done so meanwhile
            for challenge in challenges:
                scheme, _, rest = challenge.strip().partition(" ")
                parameters = {key.lower(): quoted or plain for key, quoted, plain in _CHALLENGE.findall(rest)}
                if scheme.lower() == "bearer" and "realm" in parameters:
                    self._authorization = f"Bearer {await self._token(parameters)}"
                    return
                if scheme.lower() == "basic" and self._auth and self._auth.password:
                    self._authorization = _basic(self._auth)
                    return

    async def _token(self, challenge: dict[str, str]) -> str:
        from yarl import URL

        assert self._session
        try:
            realm = URL(challenge["realm"])
        except ValueError as error:
            raise MobyError(f"registry {self._reference.domain} sends a token realm that is no address") from error
        if realm.scheme != "https" and not (
            realm.scheme == "http" and is_loopback(realm.host or "") and self._base.startswith("http:")
        ):
            raise MobyError(f"registry {self._reference.domain} wants tokens from {realm}, not over TLS; no login is sent there")
        scopes = self._scopes or [challenge.get("scope") or f"repository:{self._reference.path}:pull"]
        if self._purpose == LOGIN:
            scopes = []
        service = {"service": challenge.get("service", "")}
        if self._auth and self._auth.identitytoken:
            form = service | {
                "scope": " ".join(scopes),
                "grant_type": "refresh_token",
                "refresh_token": self._auth.identitytoken,
                "client_id": "moby",
            }
            request = self._session.post(realm, data=form, allow_redirects=False, proxy=_proxy(realm))
        else:
            headers = {"Authorization": _basic(self._auth)} if self._auth else {}
            account = {"account": self._auth.username} if self._auth else {}
            target = realm.update_query([*realm.query.items(), *(service | account).items(), *(("scope", one) for one in scopes)])
            request = self._session.get(target, headers=headers, allow_redirects=False, proxy=_proxy(realm))
        async with request as response:
            if response.status in _RETRIED or response.status != 200:
                raise await self._refusal(response)
            try:
                answer = json.loads(await _read(response, _TOKEN_LIMIT, "token"))
                token = answer.get("token") or answer.get("access_token")
            except (ValueError, AttributeError) as error:
                raise MobyError(f"{realm.host} sends a token that cannot be read") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise MobyError(f"{realm.host} sends no token")
        return token


class Mirrors:
    """The same for reading, from several hosts: each is asked in turn until one has what is wanted. Use as ``async with``."""

    def __init__(self, reference: Reference, auth: RegistryAuth | None = None) -> None:
        """``auth`` is for the registry itself; a mirror has a login of its own, if any."""
        hosts = [host for host in hosts_of(reference.domain) if PULL in host.can]
        if not hosts:
            raise InvalidArgument(f"hosts.toml of {reference.domain} names no host to pull from")
        self._registries = [Registry(reference, auth if host.domain == reference.domain else None, host=host) for host in hosts]
        self._resolvers = [registry for registry, host in zip(self._registries, hosts, strict=True) if RESOLVE in host.can]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Mirrors:
        for registry in self._registries:
            await self._stack.enter_async_context(registry)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def manifest(self, which: str) -> Fetched:
        """As ``Registry.manifest``; the last host's error is the one that is told."""
        asked = self._registries if which.startswith("sha256:") else self._resolvers or self._registries[-1:]
        for registry in asked[:-1]:
            with suppress(NotFound, Unauthorized, Unavailable):
                return await registry.manifest(which)
        return await asked[-1].manifest(which)

    async def blob(self, descriptor: oci.Descriptor, ingest: Ingest, progress: Callable[[int], None]) -> None:
        """As ``Registry.blob``. What one host began another goes on with: content is what its digest says."""
        for registry in self._registries[:-1]:
            with suppress(NotFound, Unauthorized, Unavailable):
                return await registry.blob(descriptor, ingest, progress)
        return await self._registries[-1].blob(descriptor, ingest, progress)


class _Retry(Unavailable):
    """Worth another attempt."""


class _Attempt:
    """One try at a request: failures worth another are swallowed (the loop goes on), unless it is the last."""

    def __init__(self, domain: str, *, final: bool) -> None:
        self._domain = domain
        self._final = final

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        from aiohttp import ClientConnectorCertificateError, ClientError, ClientSSLError, InvalidURL

        if isinstance(error, TimeoutError):  # once is enough: the patience was long
            raise Unavailable(f"registry {self._domain} does not answer; check the network and try again") from error
        if isinstance(error, ClientConnectorCertificateError | ClientSSLError):
            raise Unavailable(f"registry {self._domain} cannot be trusted: {error}") from error
        if isinstance(error, InvalidURL):
            raise InvalidArgument(f"registry {self._domain} has no valid address") from error
        if isinstance(error, ClientError | ConnectionError):
            if self._final:
                raise Unavailable(
                    f"registry {self._domain} cannot be reached: {error}; check the network and the name"
                ) from error
            return True
        return isinstance(error, _Retry) and not self._final


async def _pieces(file: Path, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    done = 0
    with file.open("rb") as source:
        while piece := await in_thread(source.read, _PIECE):
            yield piece
            done += len(piece)
            progress(done)


async def _receive(
    response: ClientResponse, ingest: Ingest, descriptor: oci.Descriptor, skip: int, progress: Callable[[int], None]
) -> None:
    """Writes pieces of a mebibyte, in a thread: a slow disk must not stop the event loop. What came before a break is kept."""
    from aiohttp import ClientError

    piece = bytearray()

    async def flush() -> None:
        await in_thread(ingest.write, bytes(piece))
        piece.clear()
        progress(ingest.size)

    try:
        async for data in response.content.iter_any():
            piece += data[skip:]
            skip = max(0, skip - len(data))
            if ingest.size + len(piece) > descriptor.size:
                raise InvalidArgument(f"content {descriptor.digest} is larger than the {descriptor.size} bytes its manifest says")
            if len(piece) >= _PIECE:
                await flush()
    except (ClientError, ConnectionError):
        await flush()
        raise
    await flush()


async def _read(response: ClientResponse, limit: int, what: str) -> bytes:
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > limit:
            raise MobyError(f"the registry sends a {what} of more than {limit} bytes; refused")
    return bytes(body)


async def _registry_error(response: ClientResponse) -> tuple[str, str]:
    """Code and message of the first error in the body, made one printable line; empty where there is none."""
    try:
        first = json.loads(await _read(response, _ERROR_LIMIT, "error"))["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (MobyError, ValueError, LookupError, TypeError, AttributeError):
        return "", ""
    return code, "".join(character if character.isprintable() else " " for character in message)[:300]


def _basic(auth: RegistryAuth) -> str:
    return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()


def _proxy(url: URL) -> str | None:
    """The proxy that the environment names. (aiohttp's own way would also send logins from ``~/.netrc``.)"""
    if not any(name.lower().endswith("_proxy") for name in os.environ) or not url.host or is_loopback(url.host):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return None if proxy_bypass(url.host) else proxies.get(url.scheme) or proxies.get("all")
