"""Stores of blobs that a client offers (containerd.services.content.v1): folders of OCI layouts, for images and for build caches.

A client names each store in its request: ``local:`` and the folder of a cache, ``oci:`` and the name of a build context.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from moby_tui.api.buildkit.grpc.client import Method, end
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.content_pb2 import (
    COMMIT,
    STAT,
    WRITE,
    InfoRequest,
    InfoResponse,
    ReadContentRequest,
    ReadContentResponse,
    WriteContentRequest,
    WriteContentResponse,
)
from moby_tui.errors import Conflict, MobyError, NotFound

_SERVICE = "/containerd.services.content.v1.Content"
_INFO = Method(f"{_SERVICE}/Info", InfoRequest, InfoResponse)
_READ = Method(f"{_SERVICE}/Read", ReadContentRequest, ReadContentResponse, streaming=True)
_WRITE = Method(f"{_SERVICE}/Write", WriteContentRequest, WriteContentResponse, streaming=True)
#: The metadata that names the store.
_STORE = "buildkit-attachable-store-id"
_PIECE = 1 << 20


async def read(client: Caller, store: str, digest: str) -> AsyncIterator[bytes]:
    """The blob with this digest, as the client has it: whoever reads it verifies it. Raises ``NotFound``."""
    async with client.stream(_READ, {_STORE: store}) as stream:
        await stream.send_message(ReadContentRequest(digest=digest), end=True)
        async for message in stream:
            yield message.data


async def write(client: Caller, store: str, digest: str, size: int, pieces: AsyncIterator[bytes]) -> None:
    """Stores a blob, unless the store has it."""
    if await _has(client, store, digest):
        return
    try:
        async with client.stream(_WRITE, {_STORE: store}) as stream:
            ref = f"moby-{digest}-{os.urandom(8).hex()}"
            await stream.send_message(WriteContentRequest(action=STAT, ref=ref, total=size, expected=digest))
            await _answered(stream)
            offset = 0
            async for piece in pieces:
                for start in range(0, len(piece), _PIECE):
                    part = piece[start : start + _PIECE]
                    await stream.send_message(WriteContentRequest(action=WRITE, offset=offset, data=part))
                    await _answered(stream)
                    offset += len(part)
            await stream.send_message(WriteContentRequest(action=COMMIT, offset=offset, total=size, expected=digest))
            await _answered(stream)
            await end(stream)
    except Conflict:
        # another output has written it meanwhile
        return


async def _has(client: Caller, store: str, digest: str) -> bool:
    try:
        await client.call(_INFO, InfoRequest(digest=digest), {_STORE: store})
    except NotFound:
        if not client.offers(_WRITE):
            raise
        return False
    return True


async def _answered(stream: object) -> None:
    if await stream.recv_message() is None:  # type: ignore[attr-defined]
        raise MobyError("the client ended the writing of a blob before its end")
