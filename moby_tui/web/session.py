"""A dashboard in a process of its own, for one page in a browser.

The process speaks the protocol of Textual's web driver (``textual.drivers.web_driver``) on its standard input and output: a line
``__GANGLION__``, then packets of one byte for the kind, four for the length (big-endian) and the payload. ``D`` is what a terminal reads
or writes, ``M`` a JSON object beside it.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

import msgspec

_PRELUDE = b"__GANGLION__\n"
#: A dashboard has this long to end in order; then its process is killed. Seconds.
GRACE = 5.0
_TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_COLOR_SYSTEM": "truecolor"}


class _Told(msgspec.Struct):
    """What the process says beside its output."""

    type: str


class Session:
    """One running dashboard."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str], width: int, height: int) -> Session:
        """Starts the command, of which no shell reads the words, with a terminal of so many cells. Raises ``OSError``."""
        size = {"COLUMNS": str(width), "ROWS": str(height)}
        # a session of its own: ctrl-c in the server's terminal is for the server, which ends the dashboards in order
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env={**os.environ, **_TERMINAL, **size, **environment}, start_new_session=True
            )
        )

    async def type(self, text: str) -> None:
        """Hands on what was typed or pasted."""
        await self._send(b"D", text.encode())

    async def tell(self, **message: object) -> None:
        """Hands on what happened to the terminal: ``resize`` with ``width`` and ``height``, ``focus``, ``blur``."""
        await self._send(b"M", msgspec.json.encode(message))

    async def output(self) -> AsyncIterator[bytes]:
        """What the terminal is to draw, until the dashboard ends."""
        out = self._process.stdout
        assert out is not None
        with suppress(asyncio.IncompleteReadError):
            await out.readuntil(_PRELUDE)
            while True:
                head = await out.readexactly(5)
                payload = await out.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == b"D":
                    yield payload
                elif head[:1] == b"M" and msgspec.json.decode(payload, type=_Told).type == "exit":
                    return

    async def end(self) -> None:
        """Returns when the process has ended: in order, since its input ends, or killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(GRACE):
                while await self._process.stdout.read(65536):
                    pass  # it must not wait for somebody who reads
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _send(self, kind: bytes, payload: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        # whoever reads the output learns of an end
        with suppress(ConnectionError):
            stdin.write(kind + len(payload).to_bytes(4, "big") + payload)
            await stdin.drain()
