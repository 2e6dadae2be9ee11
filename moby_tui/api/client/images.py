"""Images of an engine elsewhere: what is not as the table of operations has it."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from moby_tui.api.client.archives import RemoteArchives
from moby_tui.api.client.remote import progress
from moby_tui.api.client.requests import split
from moby_tui.api.client.transport import Body
from moby_tui.api.operations.images import Images
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import PathStat
from moby_tui.schema.image import Progress, RegistryAuth


class RemoteImages(RemoteArchives):
    family = Images

    async def archive_stat(self, ref: str, path: str, *, layer: int | None = None) -> PathStat:
        return await self._archive_stat(ref, path, layer=layer)

    async def archive_get(self, ref: str, path: str, *, layer: int | None = None) -> tuple[PathStat, AsyncIterator[bytes]]:
        return await self._archive_get(ref, path, layer=layer)

    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        name, tag = split(reference)
        if all_tags:
            if name != reference:
                raise InvalidArgument("tag can't be used with --all-tags/-a")
            tag = ""
        return self._steps("pull", {"fromImage": name, "tag": tag, "platform": platform, "auth": auth})

    def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        name, tag = split(reference)
        # the header is wanted even if there is no login to send
        return self._steps(
            "push", {"reference": name, "tag": "" if all_tags else tag, "platform": platform, "auth": auth or RegistryAuth()}
        )

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
        source, body = (archive, None) if isinstance(archive, str) else ("-", archive)
        query = {"fromSrc": source, "repo": repo, "tag": tag, "message": message, "changes": changes, "platform": platform}
        return self._steps("pull", query, body)

    async def _steps(self, operation: str, values: Mapping[str, Any], body: Body | None = None) -> AsyncIterator[Progress]:
        exchange = await self.compose(operation, values, body=body)
        async with aclosing(progress(self._session, exchange)) as steps:
            async for step in steps:
                yield step
