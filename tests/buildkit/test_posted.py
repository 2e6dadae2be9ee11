"""``POST /build?version=2``: BuildKit's builder for docker's command lines before 23, and for programs without a session."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, UnixConnector

from buildkit.client import Client
from buildkit.old_docker import OldDocker
from buildkit.peer import Daemon
from moby_tui.api.buildkit.wire.control_pb2 import StatusResponse
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.engine.engine import Engine


@pytest.fixture
async def client(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[Client]:
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield Client(Daemon(app, tmp_path / "s"), tmp_path / "context", {"s": b"hush"})
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()


async def posted(client: Client, body: bytes = b"", **parameters: str) -> tuple[int, list[dict[str, Any]]]:
    """The status and the lines of a build."""
    async with ClientSession(connector=UnixConnector(str(client.daemon.path))) as http:
        query = urlencode({"version": "2", **parameters})
        async with http.post(f"http://docker/v1.41/build?{query}", data=body) as answer:
            return answer.status, [json.loads(line) for line in (await answer.text()).splitlines() if line]


def names(lines: list[dict[str, Any]]) -> set[str]:
    """Of the vertexes that lines of progress tell."""
    traces = (line["aux"] for line in lines if line.get("id") == "moby.buildkit.trace")
    messages = (StatusResponse.FromString(base64.b64decode(trace)) for trace in traces)
    return {vertex.name for message in messages for vertex in message.vertexes}


def archive(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


async def test_the_docker_command_line(client: Client, engine: Engine, tmp_path: Path) -> None:
    docker = OldDocker(client.daemon.path, tmp_path)
    (tmp_path / "secret").write_text("hush")
    client.write(
        Dockerfile="FROM busybox\nARG A\nCOPY f /f\n"
        "RUN --mount=type=secret,id=s test $(cat /run/secrets/s) = hush && grep -q 1.2.3.4 /etc/hosts && echo said-$A\n",
        f="one\n",
    )
    folder = str(client.folder)
    options = ("--build-arg=A=b", "--label=c=d", f"--secret=id=s,src={tmp_path}/secret", "--add-host=h:1.2.3.4", "--network=none")
    status, said = await docker("build", "--progress=plain", "-t", "made", *options, folder)
    assert status == 0, said
    assert "said-b" in said and "naming to docker.io/library/made" in said
    made = await engine.images.inspect("made")
    assert made.config.labels == {"c": "d"}
    # the choice is the engine's, which pings tell
    status, said = await docker("build", "-q", "-t", "made", *options, folder, buildkit="")
    assert (status, said.strip()) == (0, made.id)
    client.write(Dockerfile="FROM busybox\nRUN exit 3\n")
    status, said = await docker("build", "--network=none", folder)
    assert status == 1
    assert said.rstrip().endswith('process "/bin/sh -c exit 3" did not complete successfully: exit code: 3'), said


async def test_the_docker_command_line_with_an_archive_and_an_output(client: Client, tmp_path: Path) -> None:
    docker = OldDocker(client.daemon.path, tmp_path)
    context = archive({"Dockerfile": "FROM scratch\nCOPY f /g\n", "f": "two"})
    status, said = await docker("build", "-o", str(tmp_path / "out"), "-", stdin=[context])
    assert status == 0, said
    assert (tmp_path / "out/g").read_text() == "two"


async def test_a_context_in_the_body_needs_no_session(client: Client, engine: Engine) -> None:
    context = archive({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "x"})
    status, lines = await posted(client, context, t="one")
    made = await engine.images.inspect("one")
    assert status == 200 and lines[-1] == {"id": "moby.image.id", "aux": {"ID": made.id}}
    assert {"[1/1] COPY f /f", "exporting to image"} <= names(lines)
    assert await posted(client, context, q="1") == (200, [{"stream": f"{made.id}\n"}])
    # limits of the RUN steps, for which BuildKit has no attribute
    _, lines = await posted(client, archive({"Dockerfile": "FROM busybox\nRUN true\n"}), memory="1", networkmode="none")
    assert "memory" in lines[-1]["errorDetail"]["message"].lower()


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"networkmode": "container:x"}, 'network mode "container:x" not supported by buildkit'),
    ({"outputs": '[{"Type":"local"},{"Type":"tar"}]'}, "multiple outputs not supported"),
    ({"outputs": "{"}, "invalid outputs: "),
    ({"outputs": '[{"Type":"nope"}]'}, 'exporter "nope" could not be found'),
    ({"version": "3"}, 'invalid version "3"'),
    ({"buildid": "upload-request:nobody"}, "no build nobody waits for a context"),
    ({"remote": "upload-request", "buildid": "mine"}, "no context was sent for the build mine"),
    ({"remote": "client-session"}, "the client's session does not offer moby.filesync.v1.FileSync/DiffCopy"),
]


async def test_refusals(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moby_tui.api.buildkit.control.posted.PATIENCE", 0.01)
    for parameters, refusal in REFUSED:
        status, lines = await posted(client, b"", **parameters)
        told = lines[-1].get("message") or lines[-1]["errorDetail"]["message"]
        assert refusal in told and (status >= 400 or "errorDetail" in lines[-1])


async def test_a_build_is_cancelled(client: Client) -> None:
    context = archive({"Dockerfile": "FROM busybox\nRUN echo begun; sleep 600\n"})
    async with ClientSession(connector=UnixConnector(str(client.daemon.path))) as http:
        query = urlencode({"version": "2", "buildid": "mine", "networkmode": "none"})
        async with http.post(f"http://docker/build?{query}", data=context) as answer:
            lines = []
            async for line in answer.content:
                lines.append(json.loads(line))
                trace = lines[-1].get("aux") if lines[-1].get("id") == "moby.buildkit.trace" else ""
                if b"begun\n" in b"".join(log.msg for log in StatusResponse.FromString(base64.b64decode(trace)).logs):
                    async with http.post("http://docker/build/cancel?id=mine") as cancelled:
                        assert cancelled.status == 200
    assert lines[-1]["errorDetail"]["message"] == "the build was cancelled"
