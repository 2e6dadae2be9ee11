"""A build client in Python: a folder to build from, secrets, and calls of Control, as buildx makes them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from buildkit.peer import Daemon
from buildkit.sessions.file_services import SEND, SYNC, FileSend
from moby_tui.api.buildkit.grpc.client import Channel, Method
from moby_tui.api.buildkit.session.files.sending import _Sending
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.api.buildkit.wire import filesync_pb2, gateway_pb2, secrets_pb2
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet

SOLVE = Method("/moby.buildkit.v1.Control/Solve", pb.SolveRequest, pb.SolveResponse)
STATUS = Method("/moby.buildkit.v1.Control/Status", pb.StatusRequest, pb.StatusResponse, streaming=True)
WORKERS = Method("/moby.buildkit.v1.Control/ListWorkers", pb.ListWorkersRequest, pb.ListWorkersResponse)
USAGE = Method("/moby.buildkit.v1.Control/DiskUsage", pb.DiskUsageRequest, pb.DiskUsageResponse)
PRUNE = Method("/moby.buildkit.v1.Control/Prune", pb.PruneRequest, pb.UsageRecord, streaming=True)
HISTORY = Method("/moby.buildkit.v1.Control/ListenBuildHistory", pb.BuildHistoryRequest, pb.BuildHistoryEvent, streaming=True)
UPDATE = Method("/moby.buildkit.v1.Control/UpdateBuildHistory", pb.UpdateBuildHistoryRequest, pb.UpdateBuildHistoryResponse)
BRIDGE_SOLVE = Method("/moby.buildkit.v1.frontend.LLBBridge/Solve", gateway_pb2.SolveRequest, gateway_pb2.SolveResponse)
RETURN = Method("/moby.buildkit.v1.frontend.LLBBridge/Return", gateway_pb2.ReturnRequest, gateway_pb2.ReturnResponse)
_AUTH = filesync_pb2.DESCRIPTOR.services_by_name["Auth"]
_SECRETS = secrets_pb2.DESCRIPTOR.services_by_name["Secrets"]


class Client:
    """``folder`` is the context and has the Dockerfile. ``asked`` counts the contents that were asked for."""

    def __init__(self, daemon: Daemon, folder: Path, secrets: Mapping[str, bytes] | None = None) -> None:
        self.daemon = daemon
        self.folder = folder
        self.secrets = secrets or {}
        #: name and password, by registry
        self.logins: dict[str, tuple[str, str]] = {}
        #: tokens that the client fetches itself, by registry, and what was asked for
        self.tokens: dict[str, str] = {}
        self.tokens_asked: list[tuple[str, ...]] = []
        self.out = folder.parent / f"{folder.name}-out"
        self.asked = 0
        self.secrets_asked: list[str] = []
        #: by name of a folder, the paths that were asked for
        self.followed: dict[str, list[str]] = {}
        self.number = 0

    def write(self, **files: str) -> None:
        self.folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.folder / name).write_text(text)

    @property
    def services(self) -> Any:
        self.out.mkdir(exist_ok=True)
        return {SYNC: self, SEND: FileSend(self.out), _SECRETS: self, _AUTH: self}

    async def diff_copy(self, stream: Any) -> None:
        """FileSync: sends the whole folder, whatever its name and whatever is asked for of it."""
        paths = stream.metadata.getall("followpaths", [])
        if paths != [".dockerignore"]:
            self.followed[stream.metadata["dir-name"]] = paths
        root = os.open(self.folder, os.O_RDONLY)
        try:
            await _Sending(cast(Any, _Asked(stream, self)), [(b"", root)]).run()
        finally:
            os.close(root)

    async def get_secret(self, stream: Any) -> None:
        request = await stream.recv_message()
        self.secrets_asked.append(request.ID)
        if request.ID not in self.secrets:
            raise GRPCError(Status.NOT_FOUND, f"secret {request.ID} not found")
        await stream.send_message(secrets_pb2.GetSecretResponse(data=self.secrets[request.ID]))

    async def credentials(self, stream: Any) -> None:
        request = await stream.recv_message()
        name, password = self.logins.get(request.Host, ("", ""))
        await stream.send_message(filesync_pb2.CredentialsResponse(Username=name, Secret=password))

    async def get_token_authority(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.Host not in self.tokens:
            # as buildx says that it fetches none
            raise GRPCError(Status.UNAVAILABLE, "client side tokens disabled")
        await stream.send_message(filesync_pb2.GetTokenAuthorityResponse(PublicKey=b"key"))

    async def fetch_token(self, stream: Any) -> None:
        request = await stream.recv_message()
        self.tokens_asked.append((request.Realm, request.Service, *request.Scopes))
        await stream.send_message(filesync_pb2.FetchTokenResponse(Token=self.tokens.get(request.Host, "")))

    async def build(
        self, attributes: Mapping[str, str] | None = None, **request: Any
    ) -> tuple[dict[str, str], list[pb.StatusResponse]]:
        """The exporters' answer and the progress. Raises ``GRPCError``."""
        self.number += 1
        ref = f"build{self.number}"
        asked: dict[str, Any] = {"Ref": ref, "Frontend": "dockerfile.v0", "FrontendAttrs": attributes or {}, **request}
        async with (
            self.daemon.offered(self.services, f"session{self.number}", shared_key="key"),
            self.daemon.channel() as channel,
        ):
            response = await channel.call(SOLVE, pb.SolveRequest(Session=f"session{self.number}", **asked))
            return dict(response.ExporterResponse), await told(channel, asked["Ref"])


async def told(channel: Channel, ref: str) -> list[pb.StatusResponse]:
    async with channel.open(STATUS) as stream:
        await stream.send_message(pb.StatusRequest(Ref=ref), end=True)
        return [message async for message in stream]


class _Asked:
    """Counts the contents that the daemon asks for."""

    def __init__(self, stream: Any, client: Client) -> None:
        self._stream, self._client = stream, client

    async def send_message(self, packet: Packet) -> None:
        await self._stream.send_message(packet)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for packet in self._stream:
            self._client.asked += packet.type == Packet.PACKET_REQ
            yield packet
