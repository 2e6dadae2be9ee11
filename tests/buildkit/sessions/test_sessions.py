"""Sessions of build clients: found by their ids, gone with their connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.exceptions import StreamTerminatedError

from buildkit.peer import Daemon
from moby_tui.api.buildkit.grpc.client import Channel, Method
from moby_tui.api.buildkit.grpc.server import Procedures, server
from moby_tui.api.buildkit.grpc.tunnel import Tunnel
from moby_tui.api.buildkit.session import caller
from moby_tui.api.buildkit.session.caller import CHECK
from moby_tui.api.buildkit.wire import control_pb2, health_pb2
from moby_tui.errors import NotFound, Unavailable

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]


class Health:
    async def check(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING))


async def test_a_session_is_awaited_called_and_gone_with_its_client(daemon: Daemon) -> None:
    waiting = asyncio.create_task(daemon.builds.sessions.get("one"))
    async with daemon.session({HEALTH: Health()}, shared_key="key", more=("X-Docker-Expose-Session-Name: dir",)) as session:
        assert await waiting is session
        assert (session.id, session.opening.name, session.shared_key) == ("one", "dir", "key")
        assert session.offers(CHECK)
        answer = await session.call(CHECK, health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await session.closed
    with pytest.raises(NotFound, match="no session one"):
        await daemon.builds.sessions.get("one", patience=0)


async def test_an_id_is_used_once(daemon: Daemon) -> None:
    async with daemon.session({HEALTH: Health()}):
        head, connection = await daemon.switched("/session", "X-Docker-Expose-Session-Uuid: one")
        connection.close()
        assert head.startswith(b"HTTP/1.1 409 ")


async def test_a_session_may_be_carried_by_a_call(daemon: Daemon) -> None:
    """As buildctl and buildx' other drivers do."""

    class Control:
        async def session(self, stream: Any) -> None:
            await daemon.builds.carry_session(stream)

    builds = daemon.builds
    builds._procedures = Procedures({control_pb2.DESCRIPTOR.services_by_name["Control"]: Control()})
    method = Method("/moby.buildkit.v1.Control/Session", control_pb2.BytesMessage, control_pb2.BytesMessage, streaming=True)
    prefix = "x-docker-expose-session-"
    told = [(prefix + "uuid", "inside"), (prefix + "grpc-method", CHECK.path), (prefix + "grpc-method", "/other")]
    async with daemon.channel() as channel:
        async with channel.open(method, told) as stream:
            await stream.send_request()
            served = server(Procedures({HEALTH: Health()}))
            carrying = asyncio.create_task(Tunnel(stream, control_pb2.BytesMessage, served).run())
            session = await builds.sessions.get("inside")
            assert session.opening.methods == {CHECK.path, "/other"}
            answer = await session.call(CHECK, health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            carrying.cancel()
            await asyncio.wait([carrying])
            await stream.cancel()
        await session.closed


async def test_a_client_that_answers_no_more_is_given_up(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        async def check(self, stream: Any) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(caller, "HEALTH_PERIOD", 0.01)
    monkeypatch.setattr(caller, "HEALTH_PATIENCE", 0.01)
    async with daemon.session({HEALTH: Silent()}) as session:
        await session.closed
        with pytest.raises(Unavailable, match="has closed its session"):
            await session.call(CHECK, health_pb2.HealthCheckRequest())


async def test_a_channel_is_closed_twice_and_before_it_is_connected() -> None:
    channel = Channel()
    channel.close()
    channel.close()


async def test_a_server_that_ends_ends_calls_and_sessions(daemon: Daemon) -> None:
    ended = asyncio.Event()

    class Endless:
        async def check(self, stream: Any) -> None:
            await stream.recv_message()
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    asked = asyncio.Event()
    builds = daemon.builds
    builds._procedures = Procedures({HEALTH: Endless()})
    async with daemon.channel() as channel, daemon.session({HEALTH: Health()}) as session:
        calling = asyncio.create_task(channel.call(CHECK, health_pb2.HealthCheckRequest()))
        await asked.wait()
        daemon.app.end_streams()
        with pytest.raises(StreamTerminatedError):
            await calling
        await ended.wait()
        await session.closed
        await channel.protocol.closed
