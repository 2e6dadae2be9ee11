"""A client's secrets, logins, agents and archives, as a build asks for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from buildkit.peer import Daemon
from moby_tui.api.buildkit.wire import filesync_pb2, secrets_pb2, ssh_pb2, upload_pb2
from moby_tui.engine.kernel import unix_socket
from moby_tui.errors import InvalidArgument, MobyError, NotFound, Unavailable
from moby_tui.schema.image import RegistryAuth

SECRETS = secrets_pb2.DESCRIPTOR.services_by_name["Secrets"]
AUTH = filesync_pb2.DESCRIPTOR.services_by_name["Auth"]
SSH = ssh_pb2.DESCRIPTOR.services_by_name["SSH"]
UPLOAD = upload_pb2.DESCRIPTOR.services_by_name["Upload"]


class Secrets:
    async def get_secret(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.ID == "gone":
            # the client goes in the middle of the call
            stream._stream._transport.abort()
            await asyncio.Event().wait()
        if request.ID != "known":
            raise GRPCError(Status.NOT_FOUND, f"secret {request.ID}:\nnot found")
        await stream.send_message(secrets_pb2.GetSecretResponse(data=b"\0\xff"))


async def test_a_secret_is_fetched_by_its_id(daemon: Daemon) -> None:
    async with daemon.session({SECRETS: Secrets()}) as session:
        assert await session.secret("known") == b"\0\xff"
        with pytest.raises(NotFound, match="secret other: not found"):
            await session.secret("other")
        with pytest.raises(Unavailable, match="the client has closed its session"):
            await session.secret("gone")
        await session.closed
        with pytest.raises(Unavailable):
            await session.secret("known")
    async with daemon.session({}, "two") as session:
        with pytest.raises(NotFound, match="does not offer"):
            await session.secret("known")


class Auth:
    def __init__(self) -> None:
        self.logins = {
            "registry-1.docker.io": ("me", "password"),
            "identity.example": ("", "token"),
            "written.example": ("", ""),
            "none.example": ("", ""),
        }

    async def credentials(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.Host not in self.logins:
            raise GRPCError(Status.UNKNOWN, "the helper is broken")
        user, secret = self.logins[request.Host]
        await stream.send_message(filesync_pb2.CredentialsResponse(Username=user, Secret=secret))

    async def fetch_token(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.Host != "written.example":
            raise GRPCError(Status.UNKNOWN, 'unsupported protocol scheme ""')
        await stream.send_message(filesync_pb2.FetchTokenResponse(Token="bearer"))


async def test_a_login_is_what_our_registry_client_takes(daemon: Daemon) -> None:
    async with daemon.session({AUTH: Auth()}) as session:
        assert await session.credentials("docker.io") == RegistryAuth(username="me", password="password")
        assert await session.credentials("identity.example") == RegistryAuth(identitytoken="token")
        assert await session.credentials("written.example") == RegistryAuth(registrytoken="bearer")
        assert await session.credentials("none.example") is None
        with pytest.raises(MobyError, match="the helper is broken"):
            await session.credentials("other.example")
    async with daemon.session({}, "two") as session:
        assert await session.credentials("docker.io") is None


class Agent:
    """Answers with what it hears, in capitals."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def check_agent(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.ID != "default":
            raise GRPCError(Status.UNKNOWN, f"unset ssh forward key {request.ID}")
        await stream.send_message(ssh_pb2.CheckAgentResponse())

    async def forward_agent(self, stream: Any) -> None:
        assert stream.metadata["buildkit.ssh.id"] == "default"
        async for message in stream:
            if message.data == b"hang up":
                return
            await stream.send_message(ssh_pb2.BytesMessage(data=message.data.upper()))
        self.ended.set()


async def test_an_agent_is_a_socket_while_the_build_needs_it(daemon: Daemon, tmp_path: Path) -> None:
    agent = Agent()
    async with daemon.session({SSH: agent}) as session:
        with pytest.raises(NotFound, match="unset ssh forward key other"):
            async with session.ssh("other", tmp_path / "agents"):
                pass
        async with session.ssh("default", tmp_path / "agents") as place:
            streams = [await asyncio.open_unix_connection(sock=unix_socket.connect(place)) for _ in range(3)]
            for number, (reader, writer) in enumerate(streams):
                writer.write(b"list %d" % number)
                assert await reader.readexactly(6) == b"LIST %d" % number
            streams[0][1].write_eof()
            assert await streams[0][0].read() == b""
            await agent.ended.wait()
            streams[1][1].write(b"hang up")
            assert await streams[1][0].read() == b""
        # the last is ended with the block
        assert await streams[2][0].read() == b""
        for _, writer in streams:
            writer.close()
        assert list((tmp_path / "agents").iterdir()) == []
        assert (tmp_path / "agents").stat().st_mode & 0o777 == 0o700


class Upload:
    async def pull(self, stream: Any) -> None:
        if (stream.metadata["urlhost"], stream.metadata.get("urlpath")) != ("buildkit-session", "/abc"):
            raise GRPCError(Status.NOT_FOUND, "no upload")
        for piece in (b"one", b"two"):
            await stream.send_message(upload_pb2.BytesMessage(data=piece))


async def test_an_archive_is_pulled_from_its_address(daemon: Daemon) -> None:
    async with daemon.session({UPLOAD: Upload()}) as session:
        assert [piece async for piece in session.upload("http://buildkit-session/abc")] == [b"one", b"two"]
        with pytest.raises(NotFound, match="no upload"):
            [piece async for piece in session.upload("http://buildkit-session/other")]


class Raw:
    """Answers with bytes of a test's, behind the headers."""

    def __init__(self, body: bytes, trailers: list[tuple[str, str]]) -> None:
        self.body, self.trailers = body, trailers

    async def get_secret(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_initial_metadata()
        await stream._stream.send_data(self.body)
        await stream._stream.send_headers(self.trailers, end_stream=True)
        stream._send_trailing_metadata_done = True


OK = [("grpc-status", "0")]


@pytest.mark.parametrize(
    ("body", "trailers"),
    [
        (b"\0\0\0\0\3abc", OK),
        (b"\0\0\0\0\5\x0a\x7fabc", OK),
        (b"\1\0\0\0\2\x0a\0", OK),
        (b"\0\xff\xff\xff\xff", OK),
        (b"\0\0\0\0\5abc", OK),
        (b"\0\0\0\0\5", OK),
        (b"\0\0", OK),
        (b"", OK),
        (b"", [("grpc-status", "seven")]),
        (b"", [("grpc-status", "99")]),
        (b"", [("x", "y")]),
        (b"", [("grpc-status", "2"), ("grpc-status-details-bin", "a")]),
        (b"", [("grpc-status", "2"), ("grpc-status-details-bin", "AAAA")]),
        (b"", [("grpc-status", "2"), ("grpc-status-details-bin", "\xe9")]),
        (b"", [("grpc-status", "2"), ("grpc-message", "%ff%0a" * 999)]),
        (b"", [("grpc-status", "2"), ("x-bin", "a")]),
    ],
)
async def test_answers_that_no_client_gives_fail_with_one_line(
    daemon: Daemon, body: bytes, trailers: list[tuple[str, str]]
) -> None:
    async with daemon.session({SECRETS: Raw(body, trailers)}) as session:
        with pytest.raises(MobyError) as failure:
            await session.secret("x")
        assert "\n" not in failure.value.message and len(failure.value.message) <= 500


async def test_what_cannot_be_a_header_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    async with daemon.session({UPLOAD: Upload(), SSH: Agent()}) as session:
        with pytest.raises(NotFound, match="no upload"):
            [piece async for piece in session.upload("http://buildkit-session")]
        with pytest.raises(InvalidArgument, match="urlpath cannot be"):
            [piece async for piece in session.upload("http://buildkit-session/\u00e9")]
