"""An engine at the far end of a socket, as a ``Client``.

Works with every Docker-compatible engine: the version of the API is negotiated, unknown fields are ignored, and what an
older engine leaves out has our defaults.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from moby_tui.api.client import lenient
from moby_tui.api.client.address import Address
from moby_tui.api.client.failure import error_of
from moby_tui.api.client.remote import Remote
from moby_tui.api.client.transport import Body, Exchange
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import encode
from moby_tui.version import API_VERSION, MIN_API_VERSION

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import (
        Builder,
        Containers,
        Events,
        History,
        Images,
        Networks,
        Registry,
        Secrets,
        System,
        Volumes,
    )

T = TypeVar("T")

#: Bytes of one answer, and of one line of a stream.
MAX_ANSWER = 256 * 1024 * 1024
MAX_LINE = 16 * 1024 * 1024
_MAX_ERROR = 64 * 1024


def parse_version(text: str) -> tuple[int, int]:
    """``1.47`` as a pair; raises ``InvalidArgument``."""
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise InvalidArgument(f"the engine names an invalid API version: {text!r}")
    return int(major), int(minor)


class Session:
    """Requests to one engine. The first one finds out which version of the API both sides speak."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._negotiating = asyncio.Lock()
        self._version: tuple[int, int] | None = None
        self._can: frozenset[str] = frozenset()

    async def version(self) -> tuple[int, int]:
        """The newest API version that both speak."""
        async with self._negotiating:
            if self._version is None:
                self._version = await self._negotiate()
            return self._version

    async def is_moby(self) -> bool:
        """Whether the far engine is one of ours."""
        await self.version()
        return bool(self._can)

    async def can(self, feature: str) -> bool:
        """Whether the far engine is one of ours, and has what the API does not."""
        await self.version()
        return feature in self._can

    @property
    def is_private(self) -> bool:
        """Whether nobody can listen on the way, nor stand in the engine's place."""
        return self._address.is_private

    async def _negotiate(self) -> tuple[int, int]:
        exchange = await Exchange.start(self._address, "HEAD", "/_ping", {}, None)
        await exchange.close()
        theirs = parse_version(exchange.headers.get("api-version", MIN_API_VERSION))
        self._can = frozenset(exchange.headers.get("moby-features", "").split())
        if theirs < parse_version(MIN_API_VERSION):
            raise InvalidArgument(
                f"the engine at {self._address} is too old: API {theirs[0]}.{theirs[1]}, need {MIN_API_VERSION}"
            )
        return min(theirs, parse_version(API_VERSION))

    async def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Sends a request; raises the error that the answer tells."""
        major, minor = await self.version()
        target = f"/v{major}.{minor}{path}" + query_string(query or {})
        exchange = await Exchange.start(self._address, method, target, headers or {}, body)
        if exchange.status >= 300:
            raise await _refusal(exchange)
        return exchange

    async def open_json(self, method: str, path: str, query: Mapping[str, object] | None, document: object) -> Exchange:
        return await self.open(method, path, query, body=encode(document), headers={"Content-Type": "application/json"})

    async def get(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, object] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return await self.read(await self.open("GET", path, query, headers=headers), kind)

    async def ask(
        self, method: str, path: str, kind: type[T], query: Mapping[str, object] | None = None, document: object = None
    ) -> T:
        """A request with a JSON answer, and with a JSON body if there is a document."""
        if document is None:
            return await self.read(await self.open(method, path, query), kind)
        return await self.read(await self.open_json(method, path, query, document), kind)

    async def send(self, method: str, path: str, query: Mapping[str, object] | None = None, document: object = None) -> None:
        """A request whose answer says nothing more than its status, with a JSON body if there is a document."""
        if document is None:
            exchange = await self.open(method, path, query)
        else:
            exchange = await self.open_json(method, path, query, document)
        await exchange.close()

    async def lines(self, exchange: Exchange, kind: type[T]) -> AsyncGenerator[T, None]:
        """A stream of JSON documents, one a line."""
        buffer = bytearray()
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                buffer += piece
                *complete, rest = buffer.split(b"\n") if b"\n" in piece else [buffer]
                if len(rest) > MAX_LINE:
                    raise MobyError(f"the engine sent a line of more than {MAX_LINE} bytes")
                buffer = bytearray(rest)
                for line in complete:
                    if line.strip():
                        yield _decode(bytes(line), kind)
        if buffer.strip():
            yield _decode(bytes(buffer), kind)

    async def read(self, exchange: Exchange, kind: type[T]) -> T:
        return _decode(await exchange.read(MAX_ANSWER), kind)


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return lenient.decode_foreign(data, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, lenient.Misfit) as error:
        raise MobyError(f"cannot read the engine's answer: {error}") from None


def query_string(query: Mapping[str, object]) -> str:
    """Absent and empty values are left out; true is ``1``; filters and other maps are JSON; lists repeat their name.

    A path in a container need not be UTF-8 (PEP 383).
    """
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None or value == "" or value is False or value == {}:
            continue
        if isinstance(value, list):
            pairs += [(name, str(item)) for item in value]
        elif isinstance(value, dict):
            pairs.append((name, encode(value).decode()))
        else:
            pairs.append((name, "1" if value is True else str(value)))
    return f"?{urlencode(pairs, errors='surrogateescape')}" if pairs else ""


async def _refusal(exchange: Exchange) -> MobyError:
    body = await exchange.read(_MAX_ERROR)
    try:
        message = msgspec.json.decode(body, type=dict[str, Any]).get("message", "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = body.decode(errors="replace").strip()
    return error_of(exchange.status, str(message) or f"the engine answered with status {exchange.status}")


class HttpClient:
    """A remote engine. Holds no connection between calls, and imports a family of operations when it is first called."""

    def __init__(self, address: Address) -> None:
        self._session = Session(address)

    @cached_property
    def containers(self) -> Containers:
        from moby_tui.api.client.containers import RemoteContainers

        return cast("Containers", RemoteContainers(self._session))

    @cached_property
    def images(self) -> Images:
        from moby_tui.api.client.images import RemoteImages

        return cast("Images", RemoteImages(self._session))

    @cached_property
    def networks(self) -> Networks:
        from moby_tui.api.operations.networks import Networks

        return cast("Networks", Remote(self._session, Networks))

    @cached_property
    def volumes(self) -> Volumes:
        from moby_tui.api.client.volumes import RemoteVolumes

        return cast("Volumes", RemoteVolumes(self._session))

    @cached_property
    def history(self) -> History:
        from moby_tui.api.operations.history import History

        return cast("History", Remote(self._session, History))

    @cached_property
    def secrets(self) -> Secrets:
        from moby_tui.api.operations.secrets import Secrets

        return cast("Secrets", Remote(self._session, Secrets))

    @cached_property
    def builder(self) -> Builder:
        from moby_tui.api.client.builds import RemoteBuilder

        return cast("Builder", RemoteBuilder(self._session))

    @cached_property
    def registry(self) -> Registry:
        from moby_tui.api.client.registries import RemoteRegistry

        return cast("Registry", RemoteRegistry(self._session))

    @cached_property
    def events(self) -> Events:
        from moby_tui.api.operations.system import Events

        return cast("Events", Remote(self._session, Events))

    @cached_property
    def system(self) -> System:
        from moby_tui.api.operations.system import System

        return cast("System", Remote(self._session, System))

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> HttpClient:
        await self._session.send("GET", "/_ping")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
