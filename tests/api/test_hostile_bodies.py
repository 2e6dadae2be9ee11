"""Bodies that are malformed, of the wrong type, nested too deep or cut short, at every route: no 500, no hang, nothing is kept."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wire import ask, head
from moby_tui import logins
from moby_tui.errors import InvalidArgument
from moby_tui.schema.image import RegistryAuth

_MALFORMED = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"1", b"true", b'{"a":', b"\xff\xfe", b"{}garbage", b'{"Name":1e999}', b'{"\xff":1}'),
    *(b"[" * 100_000, b'{"a":' * 50_000, b'{"Cmd":"' + b"a" * 2_000_000 + b'"}'),
)
_WRONG: tuple[Any, ...] = (
    1,
    -1,
    "x",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
    None,
    True,
    1e30,
    2**70,
    ["a", None],
    {"a": None},
    [{"Type": "x"}],
)
#: These go on until their client leaves, take the connection over, or ask registries, which the tests' network has not.
_LEFT_OUT = re.compile(
    r"/(events|stats|grpc|session|auth|search|verify|attestations|push|pull)$|/(distribution|moby/registry)/|/images/create"
)
#: What the engine opens for itself meanwhile: launcher, firewall, journal. A request that kept one would keep hundreds.
_OWN = 20
#: What cuts a request short, after its first line.
_CUT = (
    b'Host: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"',
    b'Host: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"',
    b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
)


def _bodies(schema: str, schemas: dict[str, Any]) -> Iterator[bytes]:
    yield from _MALFORMED
    for name in schemas.get(schema, {}).get("properties", {}):
        for value in _WRONG:
            yield json.dumps({name: value}).encode()
    if schema == "ContainerCreate":
        for name in schemas["HostConfig"]["properties"]:
            for value in _WRONG:
                yield json.dumps({"Image": "busybox", "HostConfig": {name: value}}).encode()


async def _answered(path: Path, request: bytes) -> bytes:
    """The first line of the answer to a client that half-closes after its request; empty if there is none."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    writer.write_eof()
    line = await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    return line


async def _status(path: Path, method: str, target: str, body: bytes) -> int:
    reader, writer = await asyncio.open_unix_connection(str(path))
    headers = {"Connection": "close", "Content-Type": "application/json", "Content-Length": str(len(body))}
    writer.write(head(method, target, headers) + body)
    line = await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    return int(line.split()[1])


async def test_no_body_is_answered_with_500(socket_path: Path) -> None:
    document = (await ask(socket_path, "GET", "/moby/openapi.json")).json()
    before = len(os.listdir("/proc/self/fd"))
    wrong, count = [], 0
    for path, methods in document["paths"].items():
        target = re.sub(r"{\w+}", "web", path)
        for method, operation in methods.items():
            if _LEFT_OUT.search(target):
                continue
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            for body in _bodies(schema, document["components"]["schemas"]) if content else (b"{", b"x" * 100_000):
                count += 1
                if await _status(socket_path, method.upper(), target, body) == 500:
                    wrong.append((method, target, body[:100]))
            for rest in _CUT:
                line = await _answered(socket_path, f"{method.upper()} {target} HTTP/1.1\r\n".encode() + rest)
                if b" 500 " in line:
                    wrong.append((method, target, rest[:100]))
    assert wrong == []
    assert count > 1500
    for _ in range(100):
        if len(os.listdir("/proc/self/fd")) <= before + _OWN:
            break
        await asyncio.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= before + _OWN


def test_a_login_that_is_no_base64_is_the_clients_fault() -> None:
    with pytest.raises(InvalidArgument, match="the login is not base64 of user:password"):
        logins.decoded(RegistryAuth(auth="x"))
