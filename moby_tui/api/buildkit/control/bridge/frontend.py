"""A frontend that is an image: its container, in which it directs its build over its standard input and output.

What it says is hostile: it may send what is no HTTP/2, end, never end, or ask for anything that a client may ask for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from moby_tui.api.buildkit.control import sources
from moby_tui.api.buildkit.control.bridge.director import Asked, Director, Solver
from moby_tui.api.buildkit.control.bridge.results import Result
from moby_tui.api.buildkit.control.bridge.service import Bridge, Health
from moby_tui.api.buildkit.grpc.server import Procedures, server
from moby_tui.api.buildkit.grpc.tunnel import Tunnel
from moby_tui.api.buildkit.wire import gateway_pb2, health_pb2
from moby_tui.api.buildkit.wire.worker_pb2 import WorkerRecord
from moby_tui.errors import MobyError, NotSupported
from moby_tui.schema import oci
from moby_tui.schema.build import StepContainer, StepProcess
from moby_tui.schema.operations import Process, Sandbox
from moby_tui.schema.stream import STDOUT

#: The frontend that is an image, and the attribute that names the image.
GATEWAY, SOURCE = "gateway.v0", "source"
#: Frontends that may ask each other for a build.
DEEPEST = 8
#: Seconds that a frontend has to end: after it has returned a result, and after its connection has ended.
_PATIENCE, _IMPATIENCE = 10.0, 2.0
#: Bytes of what it has said last on standard error that its failure tells.
_MOST_SAID = 500
_CAPABILITIES, _NETWORK = "moby.buildkit.frontend.caps", "moby.buildkit.frontend.network.none"
_INPUTS = "moby.buildkit.frontend.inputs"
_METADATA = "/run/config/buildkit/metadata"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")


class Frontend:
    """``asked`` names the image as the attribute ``source``. ``session`` is the client's, ``worker`` this engine's record."""

    def __init__(self, solver: Solver, asked: Asked, session: str, worker: WorkerRecord, depth: int) -> None:
        self._asked = asked
        self._image = asked.attributes[SOURCE]
        self._session = session
        self._worker = worker
        self._director = Director(solver, asked.inputs, depth)
        self._solver = solver
        self._code: int | None = None
        self._said = b""

    async def run(self) -> Result:
        """What it returns. Raises the error that it returns (``GRPCError``), and ``MobyError`` for one that does not return anything."""
        graph = sources.image(self._image)
        sandbox = Sandbox(image=self._image, folders={_METADATA: {"frontend.bin": graph.SerializeToString()}})
        try:
            await self._solver.occupy(sandbox, self._use)
            returned = self._director.returned
            if returned.done() and returned.exception():
                return returned.result()
            if self._code:
                raise MobyError(self._failure())
            if self._code is None and not returned.done():
                raise MobyError(f"frontend grpc server closed unexpectedly{self._last_words()}")
            if not returned.done():
                raise MobyError(f"no result for incomplete build{self._last_words()}")
            return returned.result()
        finally:
            await self._director.close()

    def _failure(self) -> str:
        return f"the frontend {self._image[:200]} did not complete successfully: exit code: {self._code}{self._last_words()}"

    def _last_words(self) -> str:
        lines = self._said.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {''.join(each for each in last if each.isprintable())}" if last else ""

    async def _use(self, container: StepContainer) -> None:
        execution = container.config.config or oci.ExecutionConfig()
        labels = execution.labels or {}
        self._check(labels)
        process = await container.start(
            Process(
                command=list(execution.entrypoint or ["/run"]),
                environment=[*(execution.env or []), *self._environment()],
                working_directory=execution.working_dir or "/",
                network="none" if labels.get(_NETWORK) in _TRUE else "",
            )
        )
        await self._serve(process)

    def _check(self, labels: Mapping[str, str]) -> None:
        """Raises ``NotSupported`` if the frontend lacks what the client needs of it."""
        needed = _listed(self._asked.attributes.get("frontend.caps", "")) | ({_INPUTS} if self._asked.inputs else set())
        for name in sorted(needed - _listed(labels.get(_CAPABILITIES, ""))):
            raise NotSupported(f"unsupported frontend capability {name[:80]}: the frontend {self._image[:200]} does not have it")

    def _environment(self) -> list[str]:
        options = sorted(self._asked.attributes.items())
        return [
            *(f"BUILDKIT_FRONTEND_OPT_{number}={name}={value}" for number, (name, value) in enumerate(options)),
            f"BUILDKIT_SESSION_ID={self._session}",
            f"BUILDKIT_WORKERS={_workers(self._worker)}",
            "BUILDKIT_EXPORTEDPRODUCT=docker",
        ]

    async def _serve(self, process: StepProcess) -> None:
        """Answers the frontend's calls until it ends."""
        bridge = Bridge(self._record, self._find)
        services = {
            gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]: bridge,
            health_pb2.DESCRIPTOR.services_by_name["Health"]: Health(),
        }
        protocol = server(Procedures(services))
        carrying = asyncio.create_task(Tunnel(_Streams(process, self._hear), _Bytes, protocol).run())
        ending = asyncio.create_task(process.result())
        waited: list[asyncio.Future[Any]] = [carrying, ending, self._director.returned]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not carrying.done():
                await asyncio.wait([carrying, ending], timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([carrying, ending], timeout=_IMPATIENCE)
            if ending.done():
                self._code = ending.result()
        finally:
            for task in (carrying, ending):
                task.cancel()
            await asyncio.wait([carrying, ending])
            await protocol.ended()

    async def _record(self) -> WorkerRecord:
        return self._worker

    async def _find(self, stream: Any) -> Director:
        return self._director

    def _hear(self, data: bytes) -> None:
        self._said = (self._said + data)[-_MOST_SAID:]


class _Bytes(NamedTuple):
    """A message of a tunnel that is no more than its bytes."""

    data: bytes


class _Streams:
    """Standard input and output of a process as a tunnel's messages; ``hear`` gets what it says on standard error."""

    def __init__(self, process: StepProcess, hear: Any) -> None:
        self._stream = process.stream
        self._output = self._read(hear)

    async def _read(self, hear: Any) -> AsyncIterator[bytes]:
        async for descriptor, data in self._stream.output():
            if descriptor == STDOUT:
                yield data
            else:
                hear(data)

    async def recv_message(self) -> _Bytes | None:
        data = await anext(self._output, None)
        return None if data is None else _Bytes(data)

    async def send_message(self, message: _Bytes) -> None:
        await self._stream.write(message.data)


def _listed(text: str) -> set[str]:
    return {name for name in text.split(",") if name}


def _workers(worker: WorkerRecord) -> str:
    """In the JSON of BuildKit's client (``WorkerInfo``)."""
    platforms = [{"architecture": each.Architecture, "os": each.OS} for each in worker.platforms]
    record = {"id": worker.ID, "labels": dict(worker.Labels), "platforms": platforms}
    return json.dumps([record])
