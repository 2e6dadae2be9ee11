"""Builds of a daemon: ours with all that ours can, others' as the classic builder; a hostile upload does no harm."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from build.building import context
from moby_tui.api.client.builds import RemoteBuilder
from moby_tui.api.client.connect import connect
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.errors import Forbidden, InvalidArgument, MobyError
from moby_tui.schema.build import BuildOptions, Output

pytestmark = pytest.mark.usefixtures("busybox")
TEXT = "FROM busybox\nRUN --mount=type=secret,id=s test -s /run/secrets/s\nCOPY --from=n f /f\nCMD cat /f\n"


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def test_all_of_it_over_a_socket(engine: Engine, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/s"
    options = BuildOptions(
        tags=["t"],
        secrets={"s": b"hush\r\n--x"},
        contexts={"n": "upload"},
        live=True,
        outputs=[Output(kind="image"), Output(kind="tar")],
        dockerfile_text=TEXT.encode(),
    )
    async with serving(engine, [address]), connect(address) as client:
        uploads = {"n": pieces(context("", {"f": b"\r\n--\r\n" * 2000}))}
        lines = [line async for line in client.builder.build(pieces(context("", {"a": b""})), options, uploads)]
        assert any(line.step and line.step.state == "done" for line in lines)
        assert b"".join(line.output or b"" for line in lines).startswith(b"f\0")
        assert (await client.images.inspect("t")).config.cmd == ["/bin/sh", "-c", "cat /f"]
        with pytest.raises(MobyError, match="returned a non-zero code: 7") as caught:
            async for _ in client.builder.build(pieces(context("FROM busybox\nRUN exit 7\n", {})), BuildOptions()):
                pass
        assert caught.value
    assert os.listdir(engine.paths.staging) == []


async def test_the_command_line_over_a_socket(
    cli: Callable[..., subprocess.CompletedProcess[str]], engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "sec").write_text("hush\n")
    (tmp_path / "n").mkdir()
    (tmp_path / "n/f").write_text("over\n")
    address = f"unix://{tmp_path}/s"
    async with serving(engine, [address]):
        arguments = ["-H", address, "build", "-t", "t", "--secret", f"id=s,src={tmp_path}/sec", "-o", str(tmp_path / "out")]
        done = await asyncio.to_thread(cli, *arguments, "--build-context", f"n={tmp_path}/n", "-", input=TEXT)
        assert "[stage-0 2/3] RUN --mount=type=secret" in done.stderr
        assert (tmp_path / "out/f").read_text() == "over\n"


async def test_checks_are_made_there_and_agents_are_not_lent(engine: Engine, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/s"
    async with serving(engine, [address]), connect(address) as client:
        for options, said in (
            (BuildOptions(check=True), "check complete, 1 warning found"),
            (BuildOptions(ssh={"default": ["/dev/null"]}), "--ssh with an engine elsewhere"),
            (BuildOptions(allow=["x"]), "unknown entitlement 'x'"),
        ):
            with pytest.raises(MobyError, match=said):
                async for _ in client.builder.build(pieces(context("FROM busybox AS B\n", {})), options):
                    pass


class _Session:
    """A far engine that is none of ours."""

    def __init__(self, *, ours: bool, private: bool) -> None:
        self.is_private = private
        self._ours = ours

    async def can(self, feature: str) -> bool:
        return self._ours and feature == "build-parts"


@pytest.mark.parametrize(
    ("session", "options", "kind", "message"),
    [
        (_Session(ours=True, private=False), {"secrets": {"s": b"x"}}, Forbidden, "not sent over plain tcp"),
        (_Session(ours=False, private=True), {"secrets": {"s": b"x"}}, InvalidArgument, "secrets: the engine there has no place"),
        (_Session(ours=False, private=True), {"contexts": {"n": "upload"}}, InvalidArgument, "contexts: the engine there"),
        (_Session(ours=False, private=True), {"platforms": ["a", "b"]}, InvalidArgument, "several platforms"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_name(
    session: Any, options: dict[str, Any], kind: type[MobyError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        async for _ in RemoteBuilder(session).build(None, BuildOptions(**options)):
            pass


async def test_hostile_uploads(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "s"

    def post(body: bytes, content_type: str, query: str = "parts=1") -> tuple[int, str]:
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("POST", f"/build?{query}", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def part(name: str, data: bytes) -> bytes:
        return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"

    end = b"--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    escaping = context("FROM busybox\n", {"../x": b""})
    async with serving(engine, [f"unix://{path}"]):
        for body, content_type, message in (
            (b"", "application/x-tar", "not in parts"),
            (b"nothing", kind, ""),
            (part("context", b"") + end, kind, "lacks its part 'options'"),
            (part("options", b"{") + end, kind, "invalid build options"),
            (part("options", b"{}") + end, kind, "lacks its part 'context'"),
            (
                part("options", b'{"contexts":{"n":"upload"}}') + part("context", context("FROM busybox\n", {})) + end,
                kind,
                "lacks its",
            ),
            (part("options", b"{}") + part("context", escaping) + end, kind, "leads out of it"),
            (part("options", b'{"outputs":[{"kind":"x"}]}') + part("context", b"") + end, kind, "unknown type"),
            (part("options", b'{"jobs":-1}') + part("context", b"") + end, kind, "invalid number of jobs"),
        ):
            status, text = await asyncio.to_thread(post, body, content_type)
            assert status == 400 or "error" in text, (body, status, text)
            assert message in text, (body, text)
        status, text = await asyncio.to_thread(
            post, context("FROM busybox\n", {}), "application/x-tar", "networkmode=none&memory=x"
        )
        assert status == 400 and json.loads(text)["message"]
    assert os.listdir(engine.paths.staging) == []


async def test_an_upload_that_breaks_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serving(engine, [f"unix://{path}"]):
        _, writer = await asyncio.open_unix_connection(str(path))
        head = b"POST /build?parts=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
        parts = [("options", b"{}\r\n"), ("context", context("FROM busybox\n", {"f": bytes(1 << 20)}))]
        writer.write(head)
        for name, data in parts:
            writer.write(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data)
        await writer.drain()
        while not os.listdir(engine.paths.staging):
            await asyncio.sleep(0.01)
        writer.close()
        while os.listdir(engine.paths.staging):
            await asyncio.sleep(0.01)
