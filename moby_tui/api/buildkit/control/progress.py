"""A build's progress as the messages of ``Control.Status``: vertexes, what each has done, and what it says."""

from __future__ import annotations

import hashlib
import time
from asyncio import Condition
from collections.abc import AsyncIterator, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from moby_tui.api.buildkit.wire.control_pb2 import StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning
from moby_tui.api.buildkit.wire.ops_pb2 import Position, Range, SourceInfo
from moby_tui.schema.build import Warned
from moby_tui.schema.image import BuildStep, Progress

#: The vertex that warnings about a Dockerfile belong to.
DEFINITION = "[internal] load build definition from "
#: What a pull says of a layer at its end.
_ENDED = ("Pull complete", "Already exists", "Download complete", "Layer already exists", "Pushed")
#: Bytes of one step's output that are told, as with BuildKit.
_MOST_OUTPUT = 2 << 20
_CLIPPED = b"\n[output clipped, log limit 2MiB reached]\n"
#: How many steps forward of transfers are told in one build; their ends always are.
_MOST_TRANSFERS = 10_000


class Log:
    """All messages of one build, for any number of clients at any time. ``close`` ends the streams of those who follow."""

    def __init__(self) -> None:
        self._messages: list[StatusResponse] = []
        self._changed = Condition()
        self._closed = False

    @property
    def messages(self) -> Sequence[StatusResponse]:
        """Those so far."""
        return self._messages

    async def follow(self) -> AsyncIterator[StatusResponse]:
        """From the first message to the end of the build."""
        position = 0
        while True:
            for message in self._messages[position:]:
                yield message
                position += 1
            if position == len(self._messages):
                if self._closed:
                    return
                async with self._changed:
                    if position == len(self._messages) and not self._closed:
                        await self._changed.wait()

    async def add(self, message: StatusResponse) -> None:
        self._messages.append(message)
        await self._wake()

    async def close(self) -> None:
        self._closed = True
        await self._wake()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Reporter:
    """Turns the lines of one build into messages. ``failed`` is the digest of the vertex that failed first."""

    def __init__(self, log: Log, ref: str) -> None:
        self._log = log
        self._ref = ref
        self._vertexes: dict[int, Vertex] = {}
        #: by vertex and id, what has begun and not ended
        self._open: dict[tuple[str, str], VertexStatus] = {}
        #: by vertex, the bytes of its output so far
        self._said: dict[str, int] = {}
        self._transfers = 0
        self.failed = ""
        self.counts = {"total": 0, "cached": 0, "completed": 0, "warnings": 0}

    async def report(self, line: Progress) -> None:
        """Lines that belong to no step are left out: they are the classic builder's."""
        if line.step is None:
            return
        if line.step.state == "begun":
            await self._begin(line.step)
        vertex = self._vertexes.get(line.step.id)
        if vertex is None:
            return
        if line.step.state in ("cached", "done", "failed"):
            await self._end(vertex, line.step)
        if line.status:
            status = self._status(vertex, line)
            self._transfers += not status.HasField("completed")
            if status.HasField("completed") or self._transfers < _MOST_TRANSFERS:
                await self._log.add(StatusResponse(statuses=[status]))
        if line.stream:
            await self._say(vertex, line.stream.encode("utf-8", "replace"))

    async def warn(self, warned: Warned) -> None:
        digest = self.digest(DEFINITION)
        first, last = warned.lines
        warning = VertexWarning(
            vertex=digest,
            level=1,
            short=f"{warned.rule}: {warned.text} (line {first})".encode(),
            detail=[warned.description.encode()],
            url=warned.address,
            info=SourceInfo(filename=warned.dockerfile, data=warned.source, language="Dockerfile"),
            ranges=[Range(start=Position(line=first), end=Position(line=last))],
        )
        self.counts["warnings"] += 1
        await self._log.add(StatusResponse(warnings=[warning]))

    async def pass_on(self, warning: VertexWarning) -> None:
        """A warning of whoever directs the build."""
        self.counts["warnings"] += 1
        await self._log.add(StatusResponse(warnings=[warning]))

    def digest(self, name: str) -> str:
        """The digest of a vertex of this build with this name, the first if there are several."""
        digests = (vertex.digest for vertex in self._vertexes.values() if vertex.name.startswith(name))
        return next(digests, _digest(self._ref, 0))

    async def _say(self, vertex: Vertex, data: bytes) -> None:
        before = self._said.get(vertex.digest, 0)
        if before > _MOST_OUTPUT:
            return
        self._said[vertex.digest] = before + len(data)
        if before + len(data) > _MOST_OUTPUT:
            data = data[: _MOST_OUTPUT - before] + _CLIPPED
        log = VertexLog(vertex=vertex.digest, timestamp=_now(), stream=1, msg=data)
        await self._log.add(StatusResponse(logs=[log]))

    async def _begin(self, step: BuildStep) -> None:
        digest = step.digest or _digest(self._ref, step.id)
        vertex = Vertex(digest=digest, inputs=step.inputs, name=step.name, started=_moment(step.time))
        self._vertexes[step.id] = vertex
        self.counts["total"] += 1
        await self._log.add(StatusResponse(vertexes=[vertex]))

    async def _end(self, vertex: Vertex, step: BuildStep) -> None:
        closing = [self._ended(status) for (digest, _), status in self._open.items() if digest == vertex.digest]
        self._open = {key: status for key, status in self._open.items() if key[0] != vertex.digest}
        vertex.completed.CopyFrom(_moment(step.time))
        vertex.cached = step.state == "cached"
        vertex.error = step.error
        if step.state == "failed":
            self.failed = self.failed or vertex.digest
        # BuildKit counts a step that has failed, too
        self.counts["completed"] += 1
        self.counts["cached"] += vertex.cached
        message = StatusResponse(vertexes=[vertex])
        message.statuses.extend(closing)
        await self._log.add(message)

    def _status(self, vertex: Vertex, line: Progress) -> VertexStatus:
        """The status of a vertex after a line of the engine's progress: begun by the first line of its id, ended by the last."""
        ident = line.id or line.status or ""
        known = self._open.get((vertex.digest, ident))
        status = known or VertexStatus(ID=ident, vertex=vertex.digest, name=line.status, started=_now())
        status.timestamp.CopyFrom(_now())
        if line.progress_detail is not None:
            status.current, status.total = line.progress_detail.current, line.progress_detail.total
        if not line.id or line.status in _ENDED:
            self._open.pop((vertex.digest, ident), None)
            return self._ended(status)
        self._open[vertex.digest, ident] = status
        return status

    def _ended(self, status: VertexStatus) -> VertexStatus:
        status.completed.CopyFrom(_now())
        return status


def _digest(ref: str, number: int) -> str:
    return f"sha256:{hashlib.sha256(f'{ref} {number}'.encode()).hexdigest()}"


def _now() -> Timestamp:
    return _moment(time.time())


def _moment(seconds: float) -> Timestamp:
    nanoseconds = int(seconds * 1e9)
    return Timestamp(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
