"""Engines that do not say whether a stream has frames: podman 5.8 tells version 1.44 and sends no Content-Type with logs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.schema.container import LogOptions

FRAME = b"\x01\0\0\0\0\0\0\x03hi\n"


@pytest.mark.parametrize(("tty", "sent"), [("false", FRAME), ("true", b"hi\n")])
async def test_the_container_says_what_the_answer_does_not(tmp_path: Path, tty: str, sent: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := (await reader.readuntil(b"\r\n\r\n")).decode():
            path = request.split()[1]
            body = (
                sent if "/logs" in path else f'{{"Id": "web", "Config": {{"Tty": {tty}}}}}'.encode() if "/json" in path else b"OK"
            )
            head = f"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nServer: Libpod/5.8.6 (linux)\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            if "/logs" in path:
                writer.close()
                return

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    async with server, HttpClient(Address(path=str(tmp_path / "s"))) as client:
        assert [line async for line in client.containers.logs("web", LogOptions())] == [(1, b"hi\n")]
