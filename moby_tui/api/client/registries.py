"""Registries, through a remote engine: what Docker's API has a door for."""

from __future__ import annotations

import base64
import builtins
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from moby_tui.errors import NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.image import DistributionInspect, RegistryAuth, SearchResult

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session


class RemoteRegistry:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: RegistryAuth | None = None
    ) -> builtins.list[SearchResult]:
        query = {"term": term, "limit": limit or "", "filters": filters}
        return await self._session.get("/images/search", builtins.list[SearchResult], query, headers=_login(auth))

    async def inspect(self, reference: str, *, auth: RegistryAuth | None = None) -> DistributionInspect:
        path = f"/distribution/{quote(reference, safe='/:@')}/json"
        return await self._session.get(path, DistributionInspect, headers=_login(auth))

    async def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        _no_door("listing the repositories of a registry")

    async def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        _no_door("listing the tags of a repository")

    async def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[oci.Descriptor]:
        _no_door("listing what refers to an image")

    async def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        _no_door("deleting in a registry")


def _login(auth: RegistryAuth | None) -> dict[str, str]:
    return {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth)).decode()} if auth else {}


def _no_door(what: str) -> NoReturn:
    raise NotImplementedYet(f"{what} by an engine elsewhere (Docker's API has no place for it: run it without -H)")
