"""Files of containers, images and volumes of an engine elsewhere. What it says of a path is in a header of its answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from moby_tui.api.client import lenient
from moby_tui.api.client.remote import Remote
from moby_tui.errors import MobyError
from moby_tui.schema.container import PathStat


def path_stat(headers: Mapping[str, str]) -> PathStat:
    """What the answer's header says of a path. Raises ``MobyError``."""
    try:
        return lenient.decode_foreign(base64.b64decode(headers["x-docker-container-path-stat"]), PathStat)
    except (KeyError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError, lenient.Misfit) as error:
        raise MobyError(f"the engine did not say what the path is: {error}") from None


class RemoteArchives(Remote):
    """``family`` has the operations of ``Readable``."""

    async def archive_stat(self, ref: str, path: str) -> PathStat:
        return await self._archive_stat(ref, path)

    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        return await self._archive_get(ref, path)

    async def _archive_stat(self, *asked: str, **more: Any) -> PathStat:
        exchange = await self.ask("archive_stat", *asked, **more)
        await exchange.close()
        return path_stat(exchange.headers)

    async def _archive_get(self, *asked: str, **more: Any) -> tuple[PathStat, AsyncIterator[bytes]]:
        exchange = await self.ask("archive_get", *asked, **more)
        return path_stat(exchange.headers), exchange.pieces()
