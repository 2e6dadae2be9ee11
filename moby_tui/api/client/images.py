"""Images and builds of a remote engine."""

from __future__ import annotations

import base64
import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

from moby_tui.api.client.failure import error_of
from moby_tui.api.client.ours import ours
from moby_tui.api.client.transport import Body
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.exploration import FileChange, ImageExploration
from moby_tui.schema.image import (
    ImageDeleted,
    ImageHistory,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    Progress,
    RegistryAuth,
)
from moby_tui.schema.provenance import Attestation, Verification, VerifyOptions

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session

TAR = {"Content-Type": "application/x-tar"}


def _path(ref: str, rest: str = "") -> str:
    return f"/images/{quote(ref, safe='/:@')}{rest}"


def split(reference: str) -> tuple[str, str]:
    """``name:tag`` or ``name@digest`` in two; the tag is ``latest`` where there is none."""
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    head, _, last = reference.rpartition("/")
    repository, _, tag = last.partition(":")
    return (f"{head}/{repository}" if head else repository), tag or "latest"


async def progress(
    session: Session,
    path: str,
    query: Mapping[str, object],
    *,
    body: Body | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Progress]:
    """A failure told in the stream is raised."""
    exchange = await session.open("POST", path, query, body=body, headers=headers)
    async with aclosing(session.lines(exchange, Progress)) as steps:
        async for step in steps:
            if step.error_detail:
                raise error_of(step.error_detail.code, step.error_detail.message)
            if step.error:
                raise MobyError(step.error)
            yield step


def _platform(text: str) -> str:
    """As the API has it since 1.48: the OCI object, in JSON."""
    if not text:
        return ""
    system, _, rest = text.partition("/")
    machine, _, variant = rest.partition("/")
    if not machine:
        raise InvalidArgument(f"write the platform of an engine elsewhere as linux/amd64, not {text!r}")
    return encode({"os": system, "architecture": machine, **({"variant": variant} if variant else {})}).decode()


def _authorization(auth: RegistryAuth | None) -> dict[str, str]:
    return {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth)).decode()} if auth else {}


class RemoteImages:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self,
        *,
        all: bool = False,
        digests: bool = False,
        filters: Filters | None = None,
        shared_size: bool = False,
        manifests: bool = False,
    ) -> builtins.list[ImageSummary]:
        query = {"all": all, "digests": digests, "filters": filters, "shared-size": shared_size, "manifests": manifests}
        return await self._session.get("/images/json", builtins.list[ImageSummary], query)

    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        name, tag = split(reference)
        if all_tags:
            if name != reference:
                raise InvalidArgument("tag can't be used with --all-tags/-a")
            tag = ""
        headers = _authorization(auth)
        query = {"fromImage": name, "tag": tag, "platform": platform}
        return progress(self._session, "/images/create", query, headers=headers)

    def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        name, tag = split(reference)
        # the header is wanted even where there is no login to send
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth or RegistryAuth())).decode()}
        return progress(
            self._session,
            _path(name, "/push"),
            {"tag": tag or ("" if all_tags else "latest"), "platform": _platform(platform)},
            headers=headers,
        )

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool = False, platform: str = "") -> AsyncIterator[Progress]:
        query = {"quiet": int(quiet), "platform": _platform(platform)}
        return progress(self._session, "/images/load", query, body=archive, headers=TAR)

    async def save(self, refs: Sequence[str], *, platforms: Sequence[str] = ()) -> AsyncIterator[bytes]:
        query = {"names": list(refs), "platform": [_platform(platform) for platform in platforms]}
        exchange = await self._session.open("GET", "/images/get", query)
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    def import_tar(
        self,
        archive: AsyncIterator[bytes] | str,
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> AsyncIterator[Progress]:
        repo, tag = split(reference) if reference else ("", "")
        query = {"fromSrc": "-", "repo": repo, "tag": tag, "message": message, "changes": changes, "platform": platform}
        if isinstance(archive, str):
            return progress(self._session, "/images/create", {**query, "fromSrc": archive})
        return progress(self._session, "/images/create", query, body=archive, headers=TAR)

    async def inspect(self, ref: str, *, platform: str = "") -> ImageInspect:
        return await self._session.get(_path(ref, "/json"), ImageInspect, {"platform": _platform(platform)})

    async def history(self, ref: str, *, platform: str = "") -> builtins.list[ImageHistory]:
        return await self._session.get(_path(ref, "/history"), builtins.list[ImageHistory], {"platform": _platform(platform)})

    async def tag(self, ref: str, target: str) -> None:
        repo, tag = split(target)
        await self._session.send("POST", _path(ref, "/tag"), {"repo": repo, "tag": tag})

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> builtins.list[ImageDeleted]:
        query = {"force": force, "noprune": not prune}
        return await self._session.ask("DELETE", _path(ref), builtins.list[ImageDeleted], query)

    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        return await self._session.ask("POST", "/images/prune", ImagesPruned, {"filters": filters})

    async def explore(self, ref: str) -> ImageExploration:
        with ours("exploring an image"):
            return await self._session.get(f"/moby{_path(ref, '/explore')}", ImageExploration)

    async def layer_files(self, ref: str, *, layer: int | None = None) -> AsyncIterator[FileChange]:
        with ours("exploring an image"):
            query = {} if layer is None else {"layer": str(layer)}
            exchange = await self._session.open("GET", f"/moby{_path(ref, '/files')}", query)
        async with aclosing(self._session.lines(exchange, FileChange)) as changes:
            async for change in changes:
                yield change

    async def verify(self, ref: str, options: VerifyOptions, *, auth: RegistryAuth | None = None) -> Verification:
        with ours("verifying an image"):
            path, headers = f"/moby{_path(ref, '/verify')}", {"Content-Type": "application/json", **_authorization(auth)}
            return await self._session.read(
                await self._session.open("POST", path, body=encode(options), headers=headers), Verification
            )

    async def attestations(
        self, ref: str, *, statements: bool = False, predicate_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Attestation]:
        with ours("reading attestations"):
            path, query = f"/moby{_path(ref, '/attestations')}", {"statements": statements, "type": predicate_type}
            exchange = await self._session.open("GET", path, query, headers=_authorization(auth))
            return await self._session.read(exchange, builtins.list[Attestation])
