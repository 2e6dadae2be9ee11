"""The simplest HTTP client there is: bytes out, bytes in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json()["message"])


def head(method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], str]:
    lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    return int(lines[0].split()[1]), headers, lines[0]


async def ask(path: Path, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    reader, writer = await asyncio.open_unix_connection(str(path))
    length = {"Content-Length": str(len(body))} if body else {}
    writer.write(head(method, target, {"Connection": "close", **length, **(headers or {})}) + body)
    status, found, _ = await read_head(reader)
    known = method != "HEAD" and "content-length" in found
    rest = await asyncio.wait_for(reader.readexactly(int(found["content-length"])) if known else reader.read(), 10)
    writer.close()
    return Answer(status, found, _dechunk(rest) if found.get("transfer-encoding") == "chunked" else rest)


def _dechunk(data: bytes) -> bytes:
    result = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            break
        result, data = result + data[:count], data[count + 2 :]
    return result


def differing(expected: list[tuple[int, str]], answers: list[Answer]) -> list[str]:
    """A line for each answer whose status is not the expected one; ``expected`` are pairs of a status and what was asked."""
    return [
        f"{what}: {answer.status} rather than {status}: {answer.body[:200]!r}"
        for (status, what), answer in zip(expected, answers, strict=True)
        if answer.status != status
    ]
