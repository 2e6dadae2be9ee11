"""As much of the build services as buildx needs to bring its session along: each build runs one coroutine of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from moby_tui.api.buildkit.daemon import BuildDaemon
from moby_tui.api.buildkit.session.session import Session
from moby_tui.api.buildkit.wire import capabilities_pb2, control_pb2, gateway_pb2, ops_pb2, worker_pb2

CONTROL = control_pb2.DESCRIPTOR.services_by_name["Control"]
BRIDGE = gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]
VERSION = worker_pb2.BuildkitVersion(package="github.com/moby/buildkit", version="v0.25.0")
PLATFORM = ops_pb2.Platform(Architecture="amd64", OS="linux")


class Control:
    """``build`` is called with the session of each build; what it raises is the build's failure."""

    def __init__(self, daemon: BuildDaemon, build: Callable[[Session], Awaitable[None]]) -> None:
        self.daemon, self.build = daemon, build
        self.returned = asyncio.Event()
        self.ends: dict[str, asyncio.Event] = {}
        self.bridge = Bridge(self)

    async def list_workers(self, stream: Any) -> None:
        await stream.recv_message()
        worker = worker_pb2.WorkerRecord(ID="test", platforms=[PLATFORM], BuildkitVersion=VERSION)
        await stream.send_message(control_pb2.ListWorkersResponse(record=[worker]))

    async def info(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(control_pb2.InfoResponse(buildkitVersion=VERSION))

    async def status(self, stream: Any) -> None:
        request = await stream.recv_message()
        await self.ends.setdefault(request.Ref, asyncio.Event()).wait()

    async def solve(self, stream: Any) -> None:
        request = await stream.recv_message()
        try:
            if request.Internal:
                # asks what the bridge can do
                await self.returned.wait()
            else:
                await self.build(await self.daemon.sessions.get(request.Session))
            await stream.send_message(control_pb2.SolveResponse())
        finally:
            self.ends.setdefault(request.Ref, asyncio.Event()).set()
            self.bridge.ended.set()


class Bridge:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.ended = asyncio.Event()

    async def ping(self, stream: Any) -> None:
        await stream.recv_message()
        names = ("solve.base", "solve.inlinereturn", "return", "returnmap", "proto.refarray", "frontend.inputs")
        capabilities = [capabilities_pb2.APICap(ID=name, Enabled=True) for name in names]
        await stream.send_message(gateway_pb2.PongResponse(FrontendAPICaps=capabilities, LLBCaps=capabilities[:1]))

    async def solve(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(gateway_pb2.SolveResponse(result=gateway_pb2.Result(ref=gateway_pb2.Ref(id="x"))))

    async def return_(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(gateway_pb2.ReturnResponse())
        self.control.returned.set()
