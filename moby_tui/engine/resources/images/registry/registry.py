"""A client of the OCI distribution API: manifests, blobs, tags, referrers.

https://github.com/opencontainers/distribution-spec. What is fetched is checked against the digest and size that it was asked for by.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from moby_tui.engine.resources.images.manifest import is_foreign
from moby_tui.engine.resources.images.registry.answers import read
from moby_tui.engine.resources.images.registry.connection import DELETE, LOGIN, Connection
from moby_tui.engine.resources.images.registry.download import AHEAD, Download
from moby_tui.engine.resources.images.registry.hosts import PULL, PUSH, RESOLVE, Host, hosts_of, settled
from moby_tui.engine.resources.images.registry.upload import Upload
from moby_tui.engine.resources.images.store.content import Ingest, digest_of
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotFound, Unauthorized, Unreachable
from moby_tui.reference import Reference
from moby_tui.schema import oci
from moby_tui.schema.base import decode
from moby_tui.schema.image import RegistryAuth

__all__ = ["DELETE", "LOGIN", "Fetched", "Mirrors", "Registry"]

#: The largest manifest, as in containerd and the distribution registry.
MANIFEST_LIMIT = 4 << 20
_LIST_LIMIT = 8 << 20
#: The most pages of a list; a hostile registry may always name a next one.
_MOST_PAGES = 1000
_LONGEST_LIST = 32 << 20
#: The time for all pages of a list, in seconds.
_LIST_PATIENCE = 900
_MANIFEST_TYPES = (oci.MEDIA_INDEX, oci.DOCKER_INDEX, oci.MEDIA_MANIFEST, oci.DOCKER_MANIFEST)
T = TypeVar("T")


class _Names(msgspec.Struct):
    """An answer of ``tags/list`` or ``_catalog``; some registries send null for an empty list."""

    tags: list[str] | None = None
    repositories: list[str] | None = None


@dataclass(frozen=True)
class Fetched:
    """A manifest or index as the registry sent it, with the digest computed from its bytes."""

    media_type: str
    digest: str
    body: bytes


class Registry:
    """One repository in one registry. Use as ``async with Registry(reference, auth, options) as registry``.

    All calls raise ``NotFound``, ``Unauthorized``, ``Unreachable``, and ``MobyError`` for an answer that cannot be."""

    def __init__(
        self,
        reference: Reference,
        auth: RegistryAuth | None,
        options: EngineOptions,
        *,
        patience: float | None = None,
        purpose: str = PULL,
        sources: Iterable[str] = (),
        host: Host | None = None,
    ) -> None:
        """``purpose`` PUSH asks for rights to write; ``sources``: repositories beside it, of which only reading is asked for.
        Without ``auth`` the stored login is used. ``host`` is where it is spoken to, by default the registry itself."""
        host = host or hosts_of(reference.domain, options)[-1]
        self._domain = reference.domain
        scopes = [f"repository:{reference.path}:pull,push"] if purpose == PUSH else []
        scopes += [f"repository:{source}:pull" for source in sources]
        self._ahead = asyncio.Semaphore(AHEAD)
        self._connect = partial(
            Connection, reference, auth=auth, options=options, patience=patience, purpose=purpose, scopes=scopes
        )
        self._host, self._path, self._options = host, reference.path, options

    async def __aenter__(self) -> Registry:
        host = await settled(self._host, self._options)
        self._root = host.base
        self._base = f"{host.base}/{self._path}"
        self._connection = self._connect(host=host)
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(*exc)

    @property
    def secure(self) -> bool:
        """True if the connection uses TLS."""
        return self._root.startswith("https:")

    async def login(self) -> str:
        """Checks the login with the registry. Returns an identity token to store instead of the password, or empty."""
        await self._connection.ask("GET", f"{self._root}/", {}, (200,))
        return self._connection.authorization.identity

    # Reading

    async def manifest(self, which: str) -> Fetched:
        """A manifest or index by tag or digest."""
        url = f"{self._base}/manifests/{which}"

        async def fetch() -> Fetched:
            async with self._connection.exchange("GET", url, {"Accept": ", ".join(_MANIFEST_TYPES)}, (200,)) as response:
                body = await read(response, MANIFEST_LIMIT, "manifest")
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            digest = digest_of(body)
            if which.startswith("sha256:") and digest != which:
                raise MobyError(f"manifest verification failed: expected {which}, received {digest}; do not trust this registry")
            return Fetched(media_type, digest, body)

        return await self._connection.persist(fetch)

    async def blob(self, descriptor: oci.Descriptor, ingest: Ingest, progress: Callable[[int], None]) -> None:
        """Fetches what ``ingest`` lacks of a blob, and verifies all of it. ``progress`` hears how many bytes there are."""
        await Download(self._connection, self._blob(descriptor), descriptor, ingest, progress, self._ahead).run()
        ingest.verify(descriptor.digest, descriptor.size)

    def _blob(self, descriptor: oci.Descriptor) -> str:
        return f"{self._base}/blobs/{descriptor.digest}"

    async def small_blob(self, descriptor: oci.Descriptor, limit: int = MANIFEST_LIMIT) -> bytes:
        """A blob of at most ``limit`` bytes, verified, in memory."""
        if descriptor.size > limit:
            raise InvalidArgument(f"content {descriptor.digest} has more than {limit} bytes; refused")
        answer = await self._connection.ask("GET", self._blob(descriptor), {}, (200,), limit=limit)
        if digest_of(answer.body) != descriptor.digest:
            raise MobyError(
                f"content verification failed: {descriptor.digest} comes as {digest_of(answer.body)}; do not trust it"
            )
        return answer.body

    async def tags(self) -> list[str]:
        """All tags of the repository, in the registry's order."""
        pages = [page.tags or [] async for page in self._pages(f"{self._base}/tags/list", _Names)]
        return [tag for page in pages for tag in page]

    async def catalog(self) -> list[str]:
        """All repositories that the registry lists for this login; many registries refuse."""
        pages = [page.repositories or [] async for page in self._pages(f"{self._root}/_catalog", _Names)]
        return [name for page in pages for name in page]

    async def referrers(self, digest: str, artifact_type: str = "") -> list[oci.Descriptor]:
        """What refers to a manifest: signatures, bills of materials (OCI distribution 1.1, "Listing Referrers").

        If the registry lacks that interface, reads the tag in which clients keep the list instead."""
        url = f"{self._base}/referrers/{digest}" + (f"?artifactType={artifact_type}" if artifact_type else "")
        try:
            descriptors = [one async for page in self._pages(url, oci.Index) for one in page.manifests]
        except NotFound:
            descriptors = await self._tagged_referrers(digest)
        # the registry may have ignored the filter
        return [one for one in descriptors if artifact_type in ("", one.artifact_type)]

    async def _tagged_referrers(self, digest: str) -> list[oci.Descriptor]:
        with suppress(NotFound):
            return _decoded((await self.manifest(digest.replace(":", "-"))).body, oci.Index, self._domain).manifests
        return []

    async def _pages(self, url: str, kind: type[T]) -> AsyncIterator[T]:
        """The pages of a list; ``Link: <...>; rel="next"`` names the next one (RFC 5988)."""
        size, begun = 0, time.monotonic()
        for _ in range(_MOST_PAGES):
            answer = await self._connection.ask("GET", url, {}, (200,), limit=_LIST_LIMIT)
            size += len(answer.body)
            if size > _LONGEST_LIST or time.monotonic() - begun > _LIST_PATIENCE:
                break
            yield _decoded(answer.body, kind, self._domain)
            link, _, rest = answer.headers.get("link", "").partition(";")
            if not link or "next" not in rest:
                return
            url = str(self._connection.join(url, link.strip(" <>")))
        raise MobyError(f"registry {self._domain} has a list without an end; refused")

    # Writing

    async def has_blob(self, digest: str) -> bool:
        """Whether the repository has it already."""
        answer = await self._connection.ask("HEAD", f"{self._base}/blobs/{digest}", {}, (200, 404))
        return answer.status == 200

    async def mount_blob(self, digest: str, source: str) -> bool:
        """Makes the registry link the blob from another of its repositories; False if it does not."""
        url = f"{self._base}/blobs/uploads/?mount={digest}&from={source}"
        answer = await self._connection.ask("POST", url, {}, (201, 202))
        if answer.status == 202:
            await self._abandon(answer.headers.get("location", ""))
        return answer.status == 201

    async def _abandon(self, location: str) -> None:
        """Cancels an upload, so that the registry keeps nothing of it. Many registries do not support that."""
        with suppress(MobyError):
            where = str(self._connection.join(f"{self._base}/", location))
            async with self._connection.exchange("DELETE", where, {}, (202, 204)):
                pass

    async def upload(self, descriptor: oci.Descriptor, file: Path, progress: Callable[[int], None]) -> None:
        """Sends a blob; a connection that breaks costs no more than a part of it."""
        await Upload(self._connection, self._base, descriptor, file, progress).run()

    async def put_manifest(self, which: str, media_type: str, body: bytes) -> None:
        """By tag or digest."""
        headers = {"Content-Type": media_type}
        await self._connection.ask("PUT", f"{self._base}/manifests/{which}", headers, (201,), body=lambda: body)

    async def delete_manifest(self, which: str) -> bool:
        """By digest a manifest with all its tags, by tag the tag alone; False if the registry does not let that be done."""
        answer = await self._connection.ask("DELETE", f"{self._base}/manifests/{which}", {}, (202, 400, 405))
        return answer.status == 202


class Mirrors:
    """Reads one repository from several hosts: tries each in turn until one has the content. Use as ``async with``."""

    def __init__(self, reference: Reference, auth: RegistryAuth | None, options: EngineOptions) -> None:
        """``auth`` is for the registry itself; a mirror has a login of its own, if any."""
        hosts = [host for host in hosts_of(reference.domain, options) if PULL in host.can]
        if not hosts:
            raise InvalidArgument(f"hosts.toml of {reference.domain} names no host to pull from")
        # whatever a host fails to give, the next one is asked for at once
        once = options.replaced(max_download_attempts=1)
        self._registries = [
            Registry(
                reference, auth if host.domain == reference.domain else None, options if host is hosts[-1] else once, host=host
            )
            for host in hosts
        ]
        self._resolvers = [registry for registry, host in zip(self._registries, hosts, strict=True) if RESOLVE in host.can]
        self._reference = reference
        self._options = options
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Mirrors:
        for registry in self._registries:
            await self._stack.enter_async_context(registry)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def manifest(self, which: str) -> Fetched:
        """As ``Registry.manifest``; if all hosts fail, raises the error of the last."""
        registries = self._registries if which.startswith("sha256:") else self._resolvers or self._registries[-1:]
        for registry in registries[:-1]:
            with suppress(NotFound, Unauthorized, Unreachable):
                return await registry.manifest(which)
        return await registries[-1].manifest(which)

    async def blob(self, descriptor: oci.Descriptor, ingest: Ingest, progress: Callable[[int], None]) -> None:
        """As ``Registry.blob``. A later host continues what an earlier one began; the digest verifies the whole."""
        for registry in self._registries[:-1]:
            with suppress(NotFound, Unauthorized, Unreachable):
                return await registry.blob(descriptor, ingest, progress)
        try:
            await self._registries[-1].blob(descriptor, ingest, progress)
        except NotFound:
            if not is_foreign(descriptor):
                raise
            await self._foreign_blob(descriptor, ingest, progress)

    async def _foreign_blob(self, descriptor: oci.Descriptor, ingest: Ingest, progress: Callable[[int], None]) -> None:
        """Fetches a foreign layer from the ``urls`` of its descriptor, without any login (CVE-2020-15157)."""
        from yarl import URL

        secure = self._registries[-1].secure
        urls = [url for url in descriptor.urls if url.startswith("https://" if secure else ("http://", "https://"))]
        if not urls:
            raise NotFound(
                f"layer {descriptor.digest} is not in the registry, and no address that can be trusted is given for it"
            )
        for number, url in enumerate(urls):
            try:
                host = Host(str(URL(url).origin()), self._reference.domain)
                async with Connection(self._reference, host, None, self._options, purpose=PULL, nobody=True) as connection:
                    await Download(connection, url, descriptor, ingest, progress, asyncio.Semaphore(AHEAD)).run()
                ingest.verify(descriptor.digest, descriptor.size)
                return
            except (NotFound, Unauthorized, Unreachable, ValueError) as error:
                if number == len(urls) - 1:
                    raise Unreachable(f"layer {descriptor.digest} cannot be had from {url[:200]}: {error}") from error

    async def small_blob(self, descriptor: oci.Descriptor, limit: int = MANIFEST_LIMIT) -> bytes:
        """As ``Registry.small_blob``."""
        for registry in self._registries[:-1]:
            with suppress(NotFound, Unauthorized, Unreachable):
                return await registry.small_blob(descriptor, limit)
        return await self._registries[-1].small_blob(descriptor, limit)

    async def referrers(self, digest: str, artifact_type: str = "") -> list[oci.Descriptor]:
        """As ``Registry.referrers``, joined over all hosts: a mirror may know some of them only."""
        descriptors: dict[str, oci.Descriptor] = {}
        for registry in self._registries[:-1]:
            with suppress(NotFound, Unauthorized, Unreachable):
                descriptors.update({one.digest: one for one in await registry.referrers(digest, artifact_type)})
        descriptors.update({one.digest: one for one in await self._registries[-1].referrers(digest, artifact_type)})
        return [*descriptors.values()]


def _decoded(body: bytes, kind: type[T], domain: str) -> T:
    try:
        return decode(body, kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise MobyError(f"registry {domain} sends a list that cannot be read: {error}") from error
