"""Sessions of build clients: found by their ids, gone with their connections."""

from __future__ import annotations

import asyncio

import pytest

from buildkit.peer import Daemon
from moby_tui.api.buildkit.session.caller import CHECK
from moby_tui.api.buildkit.wire import health_pb2
from moby_tui.errors import NotFound

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]


class Health:
    async def check(self, stream) -> None:
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
