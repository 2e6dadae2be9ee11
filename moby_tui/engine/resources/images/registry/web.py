"""A file from a web server, as ADD, the context of a build and an import take it.

The server is hostile: how often it sends elsewhere, how long it takes and how much it sends are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from moby_tui.engine.archive import limits
from moby_tui.engine.resources.images.registry import pace
from moby_tui.engine.resources.images.registry.answers import dialled
from moby_tui.errors import InvalidArgument, NotFound, Unreachable

_REDIRECTS = 10


class Download:
    """One file. Once the first piece has come, or the end: ``headers`` of the answer, and ``size``, the bytes that it tells of (0: none)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: Mapping[str, str] = {}
        self.size = 0

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The file as it comes. Raises ``InvalidArgument`` for what is no address, or more than is taken; ``NotFound``, ``Unreachable``."""
        from aiohttp import ClientError, ClientSession, ClientTimeout, InvalidURL

        shown = self.url[:200]
        if not self.url.startswith(("http://", "https://")):
            raise InvalidArgument(f"{shown} is no address of http or https")
        most = limits.value(limits.MOST_UNPACKED)
        patience = limits.value(limits.PATIENCE)
        timeout = ClientTimeout(total=None, sock_connect=patience, sock_read=patience)
        came = 0
        try:
            async with ClientSession(timeout=timeout, trust_env=True) as session:
                # to follow all redirects, however little of an answer comes again and again
                async with asyncio.timeout(_REDIRECTS * patience):
                    answer = await session.get(self.url, max_redirects=_REDIRECTS)
                if answer.status != 200:
                    kind = NotFound if answer.status == 404 else Unreachable
                    raise kind(f"{shown} answers {answer.status} {answer.reason}")
                self.headers, self.size = answer.headers, answer.content_length or 0
                async for piece in pace.body(answer):
                    came += len(piece)
                    if came > most:
                        raise InvalidArgument(
                            f"{shown} has more than {most} bytes; set {limits.MOST_UNPACKED[0]} to more if you trust it"
                        )
                    yield piece
        except (InvalidURL, ValueError) as error:
            raise InvalidArgument(f"{shown} is no address") from error
        except (ClientError, TimeoutError, ConnectionError) as error:
            raise Unreachable(f'Get "{shown}": {dialled(error) or "it does not answer"}') from error
