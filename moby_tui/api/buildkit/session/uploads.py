"""An archive that a client holds ready: moby.upload.v1, for a build from standard input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from moby_tui.api.buildkit.grpc.client import Method
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.upload_pb2 import BytesMessage

_PULL = Method("/moby.upload.v1.Upload/Pull", BytesMessage, BytesMessage, streaming=True)
#: The host of addresses that mean a client's archive: ``http://buildkit-session/ID``.
HOST = "buildkit-session"


async def pull(client: Caller, address: str) -> AsyncIterator[bytes]:
    """The bytes behind an address of such a host; they come once. Raises ``NotFound``."""
    parts = urlsplit(address)
    async with client.stream(_PULL, {"urlpath": parts.path, "urlhost": parts.netloc}) as stream:
        await stream.send_request(end=True)
        async for message in stream:
            yield message.data
