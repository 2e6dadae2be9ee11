"""gRPC on a connection of the API server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from hypothesis import given, settings
from hypothesis import strategies as st

from buildkit.peer import Daemon
from moby_tui.api.buildkit.grpc import connection
from moby_tui.api.buildkit.grpc.client import Channel, Method
from moby_tui.api.buildkit.grpc.frames import LONGEST, Frames
from moby_tui.api.buildkit.grpc.gathering import Gathering
from moby_tui.api.buildkit.grpc.messages import MOST_BYTES, Messages, framed
from moby_tui.api.buildkit.grpc.server import Procedures, server
from moby_tui.api.buildkit.grpc.tunnel import Tunnel
from moby_tui.api.buildkit.session.caller import CHECK
from moby_tui.api.buildkit.wire import control_pb2, health_pb2, secrets_pb2
from moby_tui.api.buildkit.wire.errors_pb2 import Source
from moby_tui.api.buildkit.wire.ops_pb2 import SourceInfo
from moby_tui.errors import NotFound

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SECRET = Method("/moby.buildkit.secrets.v1.Secrets/GetSecret", secrets_pb2.GetSecretRequest, secrets_pb2.GetSecretResponse)


class Secrets:
    """Answers with the id; some ids fail."""

    async def get_secret(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.ID == "ours":
            raise NotFound("no secret")
        if request.ID == "detailed":
            raise GRPCError(Status.ABORTED, "broken", [Source(info=SourceInfo(filename="Dockerfile"))])
        if request.ID == "defect":
            raise AttributeError("a defect")
        await stream.send_message(secrets_pb2.GetSecretResponse(data=request.ID.encode()))


SERVICES = {secrets_pb2.DESCRIPTOR.services_by_name["Secrets"]: Secrets()}


async def _pair() -> Any:
    """A client and a server, joined by a socket pair."""
    import socket

    ends = socket.socketpair()
    channel, protocol = Channel(), server(Procedures(SERVICES))
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: protocol, sock=ends[0])
    await loop.create_connection(lambda: channel.protocol, sock=ends[1])
    return channel, protocol


def _frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, call and payload; data without flags that follows data of its call is one with it."""
    found: list[tuple[int, int, int, bytes]] = []
    at = 0
    while at < len(data):
        end = at + 9 + int.from_bytes(data[at : at + 3], "big")
        frame = (data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big"), data[at + 9 : end])
        if found and frame[:2] == (0, 0) and found[-1][:3] == frame[:3]:
            frame = (*frame[:3], found.pop()[3] + frame[3])
        found.append(frame)
        at = end
    return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, 1, 4, 8]),
            st.sampled_from([0, 0, 1, 8]),
            st.sampled_from([1, 1, 3]),
            st.sampled_from([0, 1, 70, 9000, LONGEST]),
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 20_000), max_size=12),
    st.sampled_from([b"", PREFACE]),
)
def test_frames_of_data_are_one_and_nothing_else_changes(
    sent: list[tuple[int, int, int, int]], cuts: list[int], preface: bytes
) -> None:
    data = preface + b"".join(
        length.to_bytes(3, "big") + bytes([kind, flags]) + call.to_bytes(4, "big") + bytes([number]) * length
        for number, (kind, flags, call, length) in enumerate(sent)
    )
    frames, out, at = Frames(len(preface)), b"", 0
    for cut in (*cuts, len(data)):
        out += frames.take(data[at : at + cut])
        at += cut
    assert out[: len(preface)] == preface
    assert _frames(out[len(preface) :]) == _frames(data[len(preface) :])


def test_many_small_frames_are_few() -> None:
    frames = Frames(0)
    assert len(frames.take((b"\0\0\x50\0\0\0\0\0\1" + b"x" * 80) * 200)) == 200 * 80 + 9
    # a frame that is too long is left to h2, with all after it
    long = b"\x40\0\1\0\0\0\0\0\1"
    assert (frames.take(long), frames.take(b"more")) == (long, b"more")


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 200), max_size=8))
def test_messages_come_in_any_pieces(sent: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(framed, sent))
    messages, came, at = Messages(), list[bytes](), 0
    for cut in (*cuts, len(data)):
        came += messages.take(data[at : at + cut])
        at += cut
    assert came == sent


@pytest.mark.parametrize(
    ("data", "status"), [(b"\1", Status.UNIMPLEMENTED), (b"\0" + (MOST_BYTES + 1).to_bytes(4, "big"), Status.RESOURCE_EXHAUSTED)]
)
def test_a_message_that_is_not_taken_is_refused_by_its_first_bytes(data: bytes, status: Status) -> None:
    with pytest.raises(GRPCError) as refused:
        Messages().take(data + bytes(5))
    assert refused.value.status == status


class Written(asyncio.Transport):
    """Notes what is written, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 5


async def test_what_is_written_in_a_step_is_sent_at_once() -> None:
    below = Written()
    gathering = Gathering(below)
    gathering.write(b"a")
    gathering.write(b"b")
    assert below.calls == [] and gathering.get_write_buffer_size() == 7
    await asyncio.sleep(0)
    assert below.calls == [b"ab"]
    gathering.write(bytes(1 << 17))
    assert len(below.calls) == 2, "much is not held back"
    gathering.write(b"last")
    gathering.close()
    assert below.calls[2:] == [b"last"] and gathering.is_closing()
    aborted = Gathering(other := Written())
    aborted.write(b"never")
    aborted.abort()
    await asyncio.sleep(0)
    assert other.calls == []


async def test_the_daemon_answers_health_checks_and_refuses_unknown_procedures(daemon: Daemon) -> None:
    async with daemon.channel() as channel:
        answer = await channel.call(CHECK, health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(GRPCError) as failure:
            await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID="x"))
        assert failure.value.status is Status.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["/grpc", "/session"])
async def test_a_client_that_asks_for_another_protocol_is_refused(daemon: Daemon, path: str) -> None:
    head, connection = await daemon.switched(path, "X-Docker-Expose-Session-Uuid: x", protocol="tcp")
    connection.close()
    assert head.startswith(b"HTTP/1.1 400 ")


async def test_a_session_without_an_id_is_refused(daemon: Daemon) -> None:
    head, connection = await daemon.switched("/session")
    connection.close()
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        # a header block that is no HPACK
        PREFACE + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + bytes([0, 0, 4, 1, 5, 0, 0, 0, 1]) + b"\xff\xff\xff\xff",
        # data of a stream that is not there
        PREFACE + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + bytes([0, 0, 1, 0, 0, 0, 0, 0, 9]) + b"x",
    ],
)
async def test_malformed_http2_ends_its_connection_alone(daemon: Daemon, sent: bytes) -> None:
    loop = asyncio.get_running_loop()
    head, connection = await daemon.switched("/grpc")
    assert head.startswith(b"HTTP/1.1 101 ")
    await loop.sock_sendall(connection, sent)
    with connection:
        try:
            while await loop.sock_recv(connection, 4096):
                pass
        except ConnectionResetError:
            pass
    async with daemon.channel() as channel:
        await channel.call(CHECK, health_pb2.HealthCheckRequest())


class _Discarding(asyncio.Transport):
    """A transport whose peer takes everything."""

    closed = False

    def write(self, data: object) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


HEADERS = bytes.fromhex("8386") + b"\x44\x03/x/"
FRAMES = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    st.integers(0, 12),
    st.sampled_from([0, 1, 4, 5, 8, 32, 255]),
    st.sampled_from([0, 1, 1, 3, 2, (1 << 31) - 1]),
    st.one_of(
        st.binary(max_size=20),
        st.just(HEADERS),
        st.just(HEADERS + b"\x40\x02te\x08trailers"),
        st.just(bytes(4)),
        st.just(bytes(8)),
    ),
)


@given(st.lists(FRAMES, max_size=12), st.booleans(), st.integers(1, 50))
@settings(max_examples=150, deadline=None)
async def test_no_input_raises_out_of_a_connection(frames: list[bytes], client_side: bool, size: int) -> None:
    """asyncio would log a defect of ours for each such peer."""
    protocol = Channel().protocol if client_side else server(Procedures(SERVICES))
    transport = _Discarding()
    protocol.connection_made(transport)
    sent = (b"" if client_side else PREFACE) + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + b"".join(frames)
    for start in range(0, len(sent), size):
        protocol.data_received(sent[start : start + size])
        await asyncio.sleep(0)
    protocol.close("the test is over")
    protocol.connection_lost(None)
    assert protocol.closed.done()


async def test_a_peer_that_asks_and_does_not_read_is_cut_off(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_UNREAD", 128 << 10)
    loop = asyncio.get_running_loop()
    _, peer = await daemon.switched("/grpc")
    ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"12345678"
    with peer, pytest.raises((BrokenPipeError, ConnectionResetError)):
        await loop.sock_sendall(peer, PREFACE + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        for _ in range(64):
            await loop.sock_sendall(peer, ping * 1024)
    async with daemon.channel() as channel:
        await channel.call(CHECK, health_pb2.HealthCheckRequest())


async def test_failures_have_a_status_and_details() -> None:
    channel, protocol = await _pair()
    for ident, status in (("ours", Status.NOT_FOUND), ("detailed", Status.ABORTED), ("defect", Status.UNKNOWN)):
        with pytest.raises(GRPCError) as failure:
            await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID=ident))
        assert failure.value.status is status
        if ident == "detailed":
            [detail] = failure.value.details
            assert detail.type_url == "errdefs.Source"
            assert Source.FromString(detail.value).info.filename == "Dockerfile"
    channel.close()
    await protocol.closed
    with pytest.raises(StreamTerminatedError):
        await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID="x"))


async def test_a_message_beyond_the_bound_is_refused_before_it_is_kept() -> None:
    channel, protocol = await _pair()
    with pytest.raises(GRPCError) as failure:
        await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID="x" * MOST_BYTES))
    assert failure.value.status is Status.RESOURCE_EXHAUSTED
    answer = await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID="x" * (1 << 20)))
    assert len(answer.data) == 1 << 20
    channel.close()
    await protocol.closed


class _End:
    """One end of a call, of queues."""

    def __init__(self, incoming: asyncio.Queue[Any], outgoing: asyncio.Queue[Any]) -> None:
        self.incoming, self.outgoing = incoming, outgoing

    async def recv_message(self) -> Any:
        return await self.incoming.get()

    async def send_message(self, message: Any) -> None:
        await self.outgoing.put(message)


async def test_a_connection_travels_inside_a_call() -> None:
    there: asyncio.Queue[Any] = asyncio.Queue(1)
    back: asyncio.Queue[Any] = asyncio.Queue(1)
    channel, protocol = Channel(), server(Procedures(SERVICES))
    ends = [
        Tunnel(_End(back, there), control_pb2.BytesMessage, channel.protocol),
        Tunnel(_End(there, back), control_pb2.BytesMessage, protocol),
    ]
    tasks = [asyncio.create_task(end.run()) for end in ends]
    answer = await channel.call(SECRET, secrets_pb2.GetSecretRequest(ID="x" * 3_000_000))
    assert len(answer.data) == 3_000_000
    await there.put(None)
    channel.close()
    await asyncio.gather(*tasks)
    assert channel.protocol.closed.done() and protocol.closed.done()


def test_a_daemon_imports_nothing_of_it_before_a_client_comes(tmp_path: Path) -> None:
    program = f"""
import asyncio, json, sys
from api.fake_engine import FakeClient
from moby_tui.api.server.serve import serving
async def main():
    async with serving(FakeClient(), ["unix://{tmp_path}/s"]):
        reader, writer = await asyncio.open_unix_connection("{tmp_path}/s")
        writer.write(b"GET /_ping HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n")
        assert b"200 OK" in await reader.read()
        writer.close()
asyncio.run(main())
print(json.dumps([name for name in sys.modules if name.startswith(("grpclib", "h2", "hpack", "google", "moby_tui.api.buildkit"))]))
"""
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=here.parent,
        env={"PYTHONPATH": f"{here.parent}:{here}"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
