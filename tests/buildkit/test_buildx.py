"""The session of the real buildx: its files, secrets, logins and agent, and what it takes back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from aiohttp import web

import plug_ins
from buildkit.frontend import BRIDGE, CONTROL, Control
from buildkit.peer import Daemon
from moby_tui.api.buildkit.grpc.server import Procedures
from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.session.session import Session
from moby_tui.engine.kernel import unix_socket
from moby_tui.errors import NotFound
from moby_tui.schema.image import HeldLogin, RegistryAuth

#: The folders of Debian's and Docker's packages, and that of packaging/debian-plug-ins.
PLACES = ("/usr/local/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins")


@pytest.fixture(autouse=True)
def plug_in() -> None:
    plug_ins.require_plug_ins("buildx")


def _program() -> str:
    """The plug-in itself: it is called without docker's command line."""
    return shutil.which("docker-buildx", path=":".join((*PLACES, os.path.expanduser("~/.docker/cli-plugins")))) or "docker-buildx"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose sockets buildx can name: it takes no longer path than the kernel does (unix(7))."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (folder / "sub/hello").write_text("hello")
    (folder / "left-out").write_text("x")
    (folder / "link").symlink_to("sub/hello")
    os.link(folder / "sub/hello", folder / "sub/second")
    return folder


async def _build(
    daemon: Daemon, build: Callable[..., Any], home: Path, *arguments: str, stdin: IO[bytes] | None = None
) -> tuple[int, str]:
    control = Control(daemon.builds, build)
    daemon.builds._procedures = Procedures({**daemon.builds._services(), CONTROL: control, BRIDGE: control.bridge})
    process = await asyncio.create_subprocess_exec(
        _program(),
        "build",
        "--progress=plain",
        *arguments,
        env={
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": f"unix://{daemon.path}",
            "DOCKER_CONFIG": str(home),
            "HOME": str(home),
            "OTEL_SDK_DISABLED": "true",
        },
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode()


async def test_what_a_client_offers_and_what_it_takes(daemon: Daemon, context: Path, tmp_path: Path, short: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0secret")
    login = base64.b64encode(b"me:password").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": login}}}))
    agent = short / "agent"
    server = await asyncio.start_unix_server(_fake_agent, agent)
    into, out = tmp_path / "into", tmp_path / "out"
    into.mkdir()
    (into / "old").write_text("from before")
    runner = web.AppRunner(_token_server(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tokens = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def build(session: Session) -> None:
        assert session.shared_key.startswith("context:")
        await session.sync_context(Selection("context", exclude=["left-*", "Dockerfile"]), into)
        assert {str(place.relative_to(into)) for place in into.rglob("*")} == {"link", "sub", "sub/hello", "sub/second"}
        assert (into / "sub/hello").samefile(into / "sub/second") and os.readlink(into / "link") == "sub/hello"
        assert (into / "sub/hello").stat().st_mtime_ns == (context / "sub/hello").stat().st_mtime_ns
        sent: list[int] = []
        await session.sync_context(Selection("context", exclude=["left-*", "Dockerfile"]), into, sent.append)
        assert sent == []
        await session.sync_context(Selection("dockerfile", include=["Dockerfile", "Dockerfile.dockerignore"]), into)
        assert [place.name for place in into.iterdir()] == ["Dockerfile"]
        await session.sync_context(Selection("context", follow=["link"]), into)
        assert {str(place.relative_to(into)) for place in into.rglob("*")} == {"link", "sub", "sub/hello"}
        with pytest.raises(NotFound):
            await session.sync_context(Selection("other"), into)

        assert await session.secret("known") == b"\0secret"
        with pytest.raises(NotFound, match=r"^not found$"):
            await session.secret("other")
        held = await session.credentials("docker.io")
        assert isinstance(held, HeldLogin)
        assert await held.login() == RegistryAuth(username="me", password="password")
        assert await held.token(f"{tokens}/token", "here", ["repository:x:pull"]) == "fetched"
        other = await session.credentials("other.example")
        assert isinstance(other, HeldLogin) and await other.login() is None
        async with session.ssh("default", tmp_path / "agents") as place:
            reader, writer = await asyncio.open_unix_connection(sock=unix_socket.connect(place))
            # SSH_AGENTC_REQUEST_IDENTITIES, answered with an empty list
            writer.write(b"\0\0\0\1\x0b")
            assert await reader.readexactly(9) == b"\0\0\0\5\x0c\0\0\0\0"
            writer.close()
        await session.send_trees([("", context)])

    done, output = await _build(
        daemon,
        build,
        tmp_path,
        f"--secret=id=known,src={tmp_path}/secret",
        f"--ssh=default={agent}",
        f"--output=type=local,dest={out}",
        str(context),
    )
    server.close()
    await runner.cleanup()
    assert done == 0, output
    assert (out / "sub/hello").read_text() == "hello" and os.readlink(out / "link") == "sub/hello"
    assert (out / "sub/hello").samefile(out / "sub/second")


def _token_server() -> web.Application:
    """Gives a token for the login of the client (https://distribution.github.io/distribution/spec/auth/oauth/)."""

    async def give(request: web.Request) -> web.Response:
        form = await request.post()
        asked = [form.get(name) for name in ("username", "password", "service", "scope")]
        if asked != ["me", "password", "here", "repository:x:pull"]:
            return web.Response(status=401)
        return web.json_response({"access_token": "fetched", "expires_in": 300, "scope": "repository:x:pull"})

    application = web.Application()
    application.router.add_post("/token", give)
    return application


async def _fake_agent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has no keys. (x/crypto's forwarding in the client asks on behalf of others.)"""
    while header := await reader.read(4):
        await reader.readexactly(int.from_bytes(header, "big"))
        writer.write(b"\0\0\0\5\x0c\0\0\0\0")
        await writer.drain()
    writer.close()


async def test_a_tarball_and_a_failure_reach_the_client(daemon: Daemon, context: Path, tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[Any]:
        yield b"x" * 1_000_000

    async def build(session: Session) -> None:
        await session.send_file(pieces(), {"containerimage.digest": "sha256:0"})
        raise NotFound("nothing is there")

    done, output = await _build(daemon, build, tmp_path, f"--output=type=tar,dest={tmp_path}/out.tar", str(context))
    assert done == 1 and "nothing is there" in output
    assert (tmp_path / "out.tar").read_bytes() == b"x" * 1_000_000


async def test_a_context_on_standard_input_is_pulled(daemon: Daemon, context: Path, tmp_path: Path) -> None:
    """buildx gives the archive an address in its session, and tells it in the frontend's options."""
    pulled = bytearray()

    async def build(session: Session) -> None:
        [address] = addresses
        async for piece in session.upload(address):
            pulled.extend(piece)

    addresses: list[str] = []
    original = Control.solve

    async def solve(self: Control, stream: Any) -> None:
        await original(self, _Noting(stream, addresses))

    archive = tmp_path / "context.tar"
    subprocess.run(["tar", "-C", context, "-cf", archive, "."], check=True)
    with pytest.MonkeyPatch.context() as patch, archive.open("rb") as stdin:
        patch.setattr(Control, "solve", solve)
        done, output = await _build(daemon, build, tmp_path, f"--output=type=tar,dest={tmp_path}/out.tar", "-", stdin=stdin)
    assert done == 0, output
    assert bytes(pulled) == archive.read_bytes()


class _Noting:
    def __init__(self, stream: Any, addresses: list[str]) -> None:
        self._stream, self._addresses = stream, addresses

    async def recv_message(self) -> Any:
        request = await self._stream.recv_message()
        if context := request.FrontendAttrs.get("context"):
            self._addresses.append(context)
        return request

    async def send_message(self, message: Any) -> None:
        await self._stream.send_message(message)
