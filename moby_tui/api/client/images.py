"""Images and builds of a remote engine."""

from __future__ import annotations

import base64
import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

from moby_tui.api.client.transport import Body
from moby_tui.errors import MobyError, NotImplementedYet
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.image import (
    BuildPruned,
    ImageDeleted,
    ImageHistory,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    Progress,
    RegistryAuth,
)

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session

_TAR = {"Content-Type": "application/x-tar"}


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


async def _progress(
    session: Session,
    path: str,
    query: Mapping[str, object],
    *,
    body: Body | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Progress]:
    """A failure told in the stream is raised."""
    from moby_tui.api.client.http import error_of

    exchange = await session.open("POST", path, query, body=body, headers=headers)
    async with aclosing(session.lines(exchange, Progress)) as steps:
        async for step in steps:
            if step.error_detail:
                raise error_of(step.error_detail.code, step.error_detail.message)
            if step.error:
                raise MobyError(step.error)
            yield step


class RemoteImages:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, *, all: bool = False, digests: bool = False, filters: Filters | None = None
    ) -> builtins.list[ImageSummary]:
        query = {"all": all, "digests": digests, "filters": filters}
        return await self._session.get("/images/json", builtins.list[ImageSummary], query)

    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        name, tag = (reference, "") if all_tags else split(reference)
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth)).decode()} if auth else {}
        query = {"fromImage": name, "tag": tag, "platform": platform}
        return _progress(self._session, "/images/create", query, headers=headers)

    def push(self, reference: str, *, all_tags: bool = False, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name, tag = split(reference)
        # the header is wanted even where there is no login to send
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth or RegistryAuth())).decode()}
        return _progress(self._session, _path(name, "/push"), {"tag": tag or ("" if all_tags else "latest")}, headers=headers)

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool = False) -> AsyncIterator[Progress]:
        return _progress(self._session, "/images/load", {"quiet": int(quiet)}, body=archive, headers=_TAR)

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        exchange = await self._session.open("GET", "/images/get", {"names": list(refs)})
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    def import_tar(
        self,
        archive: AsyncIterator[bytes],
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> AsyncIterator[Progress]:
        repo, tag = split(reference) if reference else ("", "")
        query = {"fromSrc": "-", "repo": repo, "tag": tag, "message": message, "changes": changes, "platform": platform}
        return _progress(self._session, "/images/create", query, body=archive, headers=_TAR)

    async def inspect(self, ref: str) -> ImageInspect:
        return await self._session.get(_path(ref, "/json"), ImageInspect)

    async def history(self, ref: str) -> builtins.list[ImageHistory]:
        return await self._session.get(_path(ref, "/history"), builtins.list[ImageHistory])

    async def tag(self, ref: str, target: str) -> None:
        repo, tag = split(target)
        await self._session.send("POST", _path(ref, "/tag"), {"repo": repo, "tag": tag})

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> builtins.list[ImageDeleted]:
        query = {"force": force, "noprune": not prune}
        return await self._session.ask("DELETE", _path(ref), builtins.list[ImageDeleted], query)

    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        return await self._session.ask("POST", "/images/prune", ImagesPruned, {"filters": filters})


class RemoteBuilder:
    def __init__(self, session: Session) -> None:
        self._session = session

    def build(
        self,
        context: AsyncIterator[bytes],
        *,
        dockerfile: str = "Dockerfile",
        tags: list[str] | None = None,
        build_args: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        target: str = "",
        no_cache: bool = False,
        secrets: dict[str, bytes] | None = None,
    ) -> AsyncIterator[Progress]:
        if secrets:
            raise NotImplementedYet(
                "--secret with an engine elsewhere (the API has no place for it outside of BuildKit's own protocol)"
            )
        query = {
            "dockerfile": dockerfile,
            "t": tags,
            "buildargs": build_args,
            "labels": labels,
            "target": target,
            "nocache": no_cache,
        }
        return _progress(self._session, "/build", query, body=context, headers=_TAR)

    async def prune(self, *, all: bool = False, filters: Filters | None = None) -> BuildPruned:
        return await self._session.ask("POST", "/build/prune", BuildPruned, {"all": all, "filters": filters})
