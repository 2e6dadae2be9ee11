"""An engine without containers, for tests of what is on the wire only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace

from moby_tui.errors import CommandNotFound, NotFound, NotModified
from moby_tui.schema.container import (
    AttachOptions,
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainerExit,
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    LogOptions,
)
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.exec import ExecInspect, ExecStart
from moby_tui.schema.image import Progress
from moby_tui.schema.stream import STDERR, STDOUT, Stream
from moby_tui.schema.system import Info, Version
from moby_tui.version import API_VERSION, MIN_API_VERSION, VERSION

ID = "0123456789ab" + "0" * 52


class Wait:
    def __init__(self, exited: asyncio.Event) -> None:
        self._exited = exited

    async def result(self) -> ContainerExit:
        await self._exited.wait()
        return ContainerExit(status_code=7)

    async def close(self) -> None: ...


class Containers:
    """Container "c" echoes: what attach writes comes back, framed by ``far``, which is the process's end of the stream."""

    def __init__(self) -> None:
        self.created: list[tuple[ContainerCreate, str]] = []
        self.filters: list[dict[str, list[str]]] = []
        self.far: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.attached = asyncio.Event()
        self.exited = asyncio.Event()
        self.stopping = asyncio.Event()
        self.stopped = asyncio.Event()
        self.log_lines: list[tuple[int, bytes]] = [(STDOUT, b"one\n"), (STDERR, b"two\n")]
        self.uploaded = b""

    async def list(self, **arguments: object) -> list[ContainerSummary]:
        self.filters.append(arguments["filters"])  # type: ignore[arg-type]
        return [
            ContainerSummary(
                id=ID, names=["/c"], image="i", image_id="sha256:0", command="sh", created=1, state="running", status="Up"
            )
        ]

    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        self.created.append((config, name))
        return ContainerCreated(id=ID)

    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        if ref != "c":
            raise NotFound(f"No such container: {ref}")
        return ContainerInspect(
            id=ID, created="", path="sh", args=[], state=ContainerState(), image="sha256:0", config=ContainerConfig(cmd=["sh"])
        )

    async def start(self, ref: str) -> None:
        if ref == "running":
            raise NotModified("already started")
        raise CommandNotFound('exec: "x": executable file not found in $PATH')

    async def stop(self, ref: str, **_: object) -> None:
        self.stopping.set()
        await asyncio.sleep(0.2)
        self.stopped.set()

    async def wait(self, ref: str, *, condition: str = "not-running") -> Wait:
        return Wait(self.exited)

    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        self.far = await asyncio.open_connection(sock=theirs)
        self.attached.set()
        return Stream(reader, writer, tty=ref == "tty")

    async def exec_inspect(self, exec_id: str) -> ExecInspect:
        return ExecInspect(id=exec_id)

    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        raise CommandNotFound('exec: "x": executable file not found in $PATH')

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        for line in self.log_lines:
            yield line
        if options.follow:
            await asyncio.Event().wait()

    async def archive_put(self, ref: str, path: str, archive: AsyncIterator[bytes], **_: object) -> None:
        if path == "/missing":
            raise NotFound("no such directory")
        async for piece in archive:
            self.uploaded += piece


class Images:
    def __init__(self) -> None:
        self.pulled: list[str] = []

    async def pull(self, reference: str, **_: object) -> AsyncIterator[Progress]:
        self.pulled.append(reference)
        if reference == "missing:latest":
            raise NotFound("pull access denied for missing")
        yield Progress(status="Pulling", id="latest")
        raise NotFound("manifest unknown")


class Events:
    def __init__(self) -> None:
        self.open = 0
        self.filters: object = None

    async def stream(self, *, filters: object, **_: object) -> AsyncIterator[Event]:
        self.open += 1
        self.filters = filters
        try:
            yield Event(type="container", action="start", actor=EventActor(id=ID, attributes={"image": "i"}), time=1, time_nano=1)
            await asyncio.Event().wait()
        finally:
            self.open -= 1


class System:
    async def ping(self) -> None: ...

    async def version(self) -> Version:
        return Version(version=VERSION, api_version=API_VERSION, min_api_version=MIN_API_VERSION, arch="amd64")

    async def info(self) -> Info:
        return Info(id="fake", name="fake-host", containers=1, server_version=VERSION)


class Networks:
    async def inspect(self, ref: str) -> None:
        raise NotFound(f"network {ref} not found")


class FakeClient(SimpleNamespace):
    # by which it may be a key, as engines are
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(containers=Containers(), images=Images(), events=Events(), system=System(), networks=Networks())
