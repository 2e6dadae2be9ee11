"""What a daemon has for build clients: their sessions, and the services that they call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.descriptor import ServiceDescriptor
from grpclib.server import Stream

from moby_tui.api.buildkit.control import workers
from moby_tui.api.buildkit.control.bridge.director import Director
from moby_tui.api.buildkit.control.bridge.service import Bridge, Health
from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.control import Control
from moby_tui.api.buildkit.control.posted import PostedBuilds
from moby_tui.api.buildkit.control.records import Content
from moby_tui.api.buildkit.grpc.client import Channel
from moby_tui.api.buildkit.grpc.server import Procedures, ServerProtocol, server
from moby_tui.api.buildkit.grpc.tunnel import Tunnel
from moby_tui.api.buildkit.session import opening
from moby_tui.api.buildkit.session.opening import Opening
from moby_tui.api.buildkit.session.sessions import Sessions
from moby_tui.api.buildkit.wire import content_pb2, control_pb2, gateway_pb2, health_pb2
from moby_tui.api.buildkit.wire.control_pb2 import BytesMessage
from moby_tui.api.buildkit.wire.worker_pb2 import WorkerRecord
from moby_tui.api.client.protocol import Client
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from multidict import MultiMapping


#: The metadata that names the build.
_BUILD = "buildkit-controlapi-buildid"


class BuildDaemon:
    """Of one API server. ``client`` is the engine that its builds run in."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sessions = Sessions()
        self.builds = Builds()
        self.posted = PostedBuilds(client, self.sessions, self.builds)
        self._procedures = Procedures(self._services())

    def server(self) -> ServerProtocol:
        """A protocol for a connection of ``POST /grpc``."""
        return server(self._procedures)

    def _services(self) -> Mapping[ServiceDescriptor, object]:
        return {
            health_pb2.DESCRIPTOR.services_by_name["Health"]: Health(),
            control_pb2.DESCRIPTOR.services_by_name["Control"]: Control(
                self.client, self.sessions, self.builds, self.carry_session
            ),
            content_pb2.DESCRIPTOR.services_by_name["Content"]: Content(self.builds),
            gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]: Bridge(self._record, self._director),
        }

    async def _record(self) -> WorkerRecord:
        return await workers.record(self.client)

    async def _director(self, stream: Any) -> Director:
        """The client that directs the build which a call names in its metadata."""
        name = (stream.metadata or {}).get(_BUILD)
        if not name:
            raise InvalidArgument(f"the call names no build: set the metadata {_BUILD}")
        return (await self.builds.get(str(name))).director

    async def hold(self, opened: Opening, channel: Channel) -> None:
        """Keeps a session until its connection is gone. Raises ``Conflict`` for an id that is in use."""
        async with self.sessions.opened(opened, channel) as session:
            await session.closed

    async def carry_session(self, stream: Stream[BytesMessage, BytesMessage]) -> None:
        """A session whose connection is the call Control.Session. Raises ``InvalidArgument``, ``Conflict``."""
        assert stream.metadata is not None
        opened = opening.read(cast("MultiMapping[str]", stream.metadata))
        self.sessions.check_free(opened.id)
        channel = Channel()
        carrying = asyncio.create_task(Tunnel(stream, BytesMessage, channel.protocol).run())
        try:
            await self.hold(opened, channel)
        finally:
            carrying.cancel()
            await asyncio.wait([carrying])
