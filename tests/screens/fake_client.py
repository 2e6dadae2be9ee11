"""A scripted engine for the dashboard's tests: fixed objects, events at command, calls written down."""

from __future__ import annotations

import asyncio
import builtins
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import structs

from moby_tui.errors import CommandNotFound, NotFound, Unavailable
from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import (
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    ContainerUpdate,
    ContainerUpdated,
    EndpointSettings,
    HostConfig,
    LogOptions,
    Port,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.exec import ExecCreate, ExecInspect, ExecStart
from moby_tui.schema.exploration import ExploredLayer, FileChange, ImageExploration, WastedFile
from moby_tui.schema.history import Figures, HistoryStatus, KeptLine, Remembered
from moby_tui.schema.image import ImageHistory, ImageInspect, ImageSummary, Progress
from moby_tui.schema.network import Ipam, IpamPool, Network
from moby_tui.schema.stats import CpuStats, CpuUsage, MemoryStats, PidsStats, Stats
from moby_tui.schema.stream import Stream
from moby_tui.schema.system import Check, DiskUsage, Info, PruneOptions, PruneReport, Version, VersionPlatform
from moby_tui.schema.traffic import Exposure
from moby_tui.schema.volume import Volume, VolumesPruned, VolumeUsage

#: The moment at which the fixed objects are looked at.
NOW = 1_790_000_000


def summary(number: int, name: str, state: str = "running", status: str = "Up 3 minutes", **more: Any) -> ContainerSummary:
    identifier = f"{number:02x}" * 32
    fields: dict[str, Any] = {
        "image": "nginx:1.29", "image_id": "sha256:" + "a" * 64, "command": "nginx -g 'daemon off;'", "created": NOW - 1000,
        "labels": {}, **more,
    }  # fmt: skip
    return ContainerSummary(id=identifier, names=[f"/{name}"], state=state, status=status, **fields)


def some_containers() -> list[ContainerSummary]:
    return [
        summary(1, "web", ports=[Port(private_port=80, public_port=8080, ip="0.0.0.0")], status="Up 3 minutes (healthy)"),
        summary(2, "database", image="postgres:18", command="docker-entrypoint.sh postgres", status="Up 2 hours"),
        summary(3, "worker", image="registry.example.com/team/worker:2.14.0", command="python -m worker", status="Up 12 seconds"),
        summary(4, "batch", "exited", "Exited (137) 5 minutes ago", image="busybox", command="sh -c 'exit 137'"),
        summary(5, "migrate", "exited", "Exited (0) 2 days ago", image="python:3.13-alpine", command="python migrate.py"),
        summary(6, "cache", "paused", "Up 40 minutes (Paused)", image="redis:8", command="redis-server"),
        summary(7, "draft", "created", "Created", image="alpine", command="/bin/sh"),
    ]


class Pipe:
    """Both ends of a shell's stream: what is written is remembered and answered by ``answer``."""

    def __init__(self) -> None:
        self.sent = b""
        self.output: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self, n: int = -1) -> bytes:
        return await self.output.get()

    def write(self, data: bytes) -> None:
        self.sent += data
        self.output.put_nowait(data.replace(b"\r", b"\r\n"))
        if b"exit" in self.sent and data == b"\r":
            self.output.put_nowait(b"")

    async def drain(self) -> None: ...
    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None: ...
    def close(self) -> None:
        self.output.put_nowait(b"")


class FakeContainers:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def list(self, *, all: bool = False, filters: Filters | None = None, **_: Any) -> list[ContainerSummary]:
        self.engine.lists += 1
        self.engine.check()
        wanted = (filters or {}).get("id")
        rows = [row for row in self.engine.rows.values() if not wanted or row.id in wanted]
        return [row for row in rows if all or row.state == "running"]

    def __getattr__(self, name: str) -> Any:
        """start, stop, kill ...: written down, and carried out on the row."""
        states = {
            "start": "running",
            "stop": "exited",
            "kill": "exited",
            "restart": "running",
            "pause": "paused",
            "unpause": "running",
        }
        if name not in states:
            raise AttributeError(name)

        async def act(ref: str, **options: Any) -> None:
            self.engine.check()
            row = self.engine.row(ref)
            self.engine.calls.append((name, row.names[0].lstrip("/"), options))
            self.engine.change(row.id, states[name], {"stop": "die", "kill": "die", "restart": "start"}.get(name, name))

        return act

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        row = self.engine.rows[ref]
        self.engine.calls.append(("remove", row.names[0].lstrip("/"), {"force": force}))
        if self.engine.refusal:
            raise self.engine.refusal
        del self.engine.rows[ref]
        self.engine.emit("container", "destroy", ref)

    async def inspect(self, ref: str, **_: Any) -> ContainerInspect:
        row = self.engine.row(ref)
        state = ContainerState(status=row.state, running=row.state == "running", pid=4711)
        return ContainerInspect(
            id=row.id, created="", path="nginx", args=["-g"], state=state, image=row.image_id, name=row.names[0],
            config=ContainerConfig(image=row.image, env=["MODE=fast"]), host_config=HostConfig(memory=64 << 20, memory_swap=128 << 20),
        )  # fmt: skip

    async def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        self.engine.calls.append(("update", self.engine.rows[ref].names[0].lstrip("/"), {"memory": changes.memory}))
        return ContainerUpdated()

    async def rename(self, ref: str, name: str) -> None:
        row = self.engine.rows[ref]
        self.engine.calls.append(("rename", row.names[0].lstrip("/"), {"name": name}))
        row.names = [f"/{name}"]
        self.engine.emit("container", "rename", ref, name=name)

    async def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        self.engine.calls.append(("ports", self.engine.rows[ref].names[0].lstrip("/"), {"changes": changes}))
        return PortsChanged(ports=changes.publish)

    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        self.engine.calls.append(("create", name, {"config": config}))
        row = summary(len(self.engine.rows) + 1, name or "happy_name", "created", "Created", image=config.image)
        self.engine.rows[row.id] = row
        self.engine.emit("container", "create", row.id, name=name)
        return ContainerCreated(id=row.id)

    async def top(self, ref: str, ps_args: str = "-ef") -> Top:
        return Top(titles=["UID", "PID", "CMD"], processes=[["root", "4711", "nginx: master"], ["www", "4712", "nginx: worker"]])

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        lines = self.engine.logs.get(self.engine.row(ref).names[0].lstrip("/"), [])
        for line in lines if options.tail is None else lines[max(len(lines) - options.tail, 0) :]:
            yield line
        if not options.follow:
            return
        while self.engine.flood and not self.engine.flood_over:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000000000Z "
            for _ in range(1000):
                self.engine.flooded += 1
                yield 1, f"{stamp}flood {self.engine.flooded}\n".encode()
        await asyncio.Event().wait()

    async def stats(self, ref: str, *, stream: bool = True, **_: Any) -> AsyncIterator[Stats]:
        place = list(self.engine.rows).index(ref) + 1
        if not stream:
            async for one in self._one_shot(ref, place):
                yield one
            return
        for number in range(self.engine.samples):
            used = int(1e7 * place * (1 + (number * 7919 % 13)))
            yield Stats(
                read="", preread="", pids_stats=PidsStats(current=place),
                cpu_stats=CpuStats(cpu_usage=CpuUsage(total_usage=used), system_cpu_usage=int(1e9), online_cpus=1),
                memory_stats=MemoryStats(usage=(place * 9 + number % 5) * 1024 * 1024, limit=2 * 1024**3),
            )  # fmt: skip
        await asyncio.Event().wait()

    async def _one_shot(self, ref: str, place: int) -> AsyncIterator[Stats]:
        """A second after the last one; the container's place in the list is its load in tenths of a core."""
        if ref in self.engine.unmeasured:
            raise self.engine.unmeasured[ref]
        turn = self.engine.turns[ref] = self.engine.turns.get(ref, 0) + 1
        yield Stats(
            read="", preread="", pids_stats=PidsStats(current=place),
            cpu_stats=CpuStats(
                cpu_usage=CpuUsage(total_usage=turn * place * 10**8), system_cpu_usage=turn * 2 * 10**9, online_cpus=2
            ),
            memory_stats=MemoryStats(usage=(100 - place) * 2**20, limit=100 * 2**20),
        )  # fmt: skip

    async def exec_create(self, ref: str, config: ExecCreate) -> str:
        self.engine.execs.append(config)
        return str(len(self.engine.execs))

    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream:
        command = self.engine.execs[int(exec_id) - 1].cmd or [""]
        if command[0] not in self.engine.shells:
            raise CommandNotFound(f"{command[0]}: no such file; is the image without a shell?")
        self.engine.pipe = Pipe()
        self.engine.pipe.output.put_nowait(b"/ # ")
        return Stream(self.engine.pipe, self.engine.pipe, tty=True)

    async def exec_resize(self, exec_id: str, *, height: int, width: int) -> None:
        self.engine.sizes.append((height, width))

    async def exec_inspect(self, exec_id: str) -> ExecInspect:
        return ExecInspect(id=exec_id, exit_code=0)


class FakeImages:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def list(self, **_: Any) -> list[ImageSummary]:
        return [
            ImageSummary(
                id="sha256:" + "a" * 64, repo_tags=["nginx:1.29", "nginx:latest"], size=192_000_000, created=NOW - 86400 * 9
            ),
            ImageSummary(id="sha256:" + "b" * 64, repo_tags=["busybox:latest"], size=4_430_000, created=NOW - 86400 * 90),
            ImageSummary(id="sha256:" + "c" * 64, repo_tags=[], size=81_000_000, created=NOW - 7200),
        ]

    async def inspect(self, ref: str) -> ImageInspect:
        return next(
            ImageInspect(id=one.id, repo_tags=one.repo_tags, architecture="amd64") for one in await self.list() if one.id == ref
        )

    async def remove(self, ref: str, **options: Any) -> builtins.list[Any]:
        self.engine.calls.append(("remove image", ref, options))
        return []

    async def history(self, ref: str, **_: Any) -> builtins.list[ImageHistory]:
        made = [
            ("/bin/sh -c #(nop) ADD file:0123 in / ", 74_800_000),
            ('/bin/sh -c #(nop)  CMD ["bash"]', 0),
            ("RUN /bin/sh -c apt-get update && apt-get install -y nginx # buildkit", 117_000_000),
            ("RUN /bin/sh -c rm -rf /var/lib/apt/lists/* # buildkit", 0),
            ("EXPOSE map[80/tcp:{}]", 0),
        ]
        return [ImageHistory(id="<missing>", created=NOW, created_by=by, size=size) for by, size in reversed(made)]

    async def explore(self, ref: str) -> ImageExploration:
        by = [entry.created_by for entry in reversed(await self.history(ref))]
        layers = [
            ExploredLayer(index=0, diff_id="sha256:0", created_by=by[0], size=74_800_000, added=3000),
            ExploredLayer(
                index=1, diff_id="sha256:1", created_by=by[2], size=117_000_000, added=400, changed=12, wasted=17_000_000
            ),
            ExploredLayer(index=2, diff_id="sha256:2", created_by=by[3], deleted=2),
        ]
        wasted = [WastedFile(path="var/lib/apt/lists/main", copies=1, size=17_000_000)]
        return ImageExploration(
            id=ref, size=191_800_000, files=3398, wasted=17_000_000, efficiency=0.917, layers=layers, wasted_files=wasted
        )

    async def layer_files(self, ref: str, *, layer: int | None = None) -> AsyncIterator[FileChange]:
        for number, kind, path, size in (
            (0, "added", "etc/passwd", 900),
            (0, "added", "usr/bin/bash", 1_200_000),
            (1, "changed", "etc/passwd", 950),
            (1, "added", "usr/sbin/nginx", 1_500_000),
            (1, "added", "var/lib/apt/lists/main", 17_000_000),
            (2, "deleted", "var/lib/apt/lists/main", 17_000_000),
        ):
            if layer in (None, number):
                yield FileChange(layer=number, kind=kind, path=path, size=size)


class FakeNetworks:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def exposure(self) -> list[Exposure]:
        return self.engine.exposures

    async def list(self, **_: Any) -> list[Network]:
        ipam = Ipam(config=[IpamPool(subnet="172.17.0.0/16", gateway="172.17.0.1")])
        return [Network(name="bridge", id="1" * 64, ipam=ipam), Network(name="host", id="2" * 64, driver="host")]

    async def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None:
        self.engine.calls.append(("connect", ref, {"container": container, "config": config}))

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        self.engine.calls.append(("disconnect", ref, {"container": container, "force": force}))

    async def inspect(self, ref: str, *, verbose: bool = False) -> Network:
        return next(one for one in await self.list() if one.id == ref)


class FakeVolumes:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def list(self, **_: Any) -> list[Volume]:
        return [
            Volume(name="pgdata", created_at="2026-09-01T12:00:00Z"),
            Volume(name="uploads", created_at="2026-09-02T12:00:00Z"),
        ]

    async def inspect(self, name: str) -> Volume:
        return Volume(name=name, mountpoint=f"/var/lib/moby/volumes/{name}/_data")

    async def remove(self, name: str, **options: Any) -> None:
        self.engine.calls.append(("remove volume", name, options))


class FakeEvents:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def stream(self, *, since: float | None = None, until: float | None = None, **_: Any) -> AsyncIterator[Event]:
        for event in self.engine.past:
            if (since or 0) <= event.time <= (until or float("inf")):
                yield event
        if until is not None:
            return
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.engine.queues.append(queue)
        while (emitted := await queue.get()) is not None:
            yield emitted
        raise Unavailable("the engine went away; start it again")


class FakeHistory:
    """Of moby's own engine; another has ``refusal``."""

    def __init__(self) -> None:
        self.limit = 64 << 20
        self.remembered: list[Remembered] = []
        self.kept: dict[str, list[Figures]] = {}
        self.logs: dict[str, list[KeptLine]] = {}
        self.asked: list[tuple[float, float, int]] = []
        self.refusal: Exception | None = None

    async def status(self) -> HistoryStatus:
        if self.refusal:
            raise self.refusal
        return HistoryStatus(recording=True, size=1 << 20, limit=self.limit, age=7 * 86400, interval=10)

    async def containers(self) -> list[Remembered]:
        return self.remembered

    async def figures(
        self, ref: str, *, since: float | None = None, until: float | None = None, step: int = 0
    ) -> AsyncIterator[Figures]:
        self.asked.append((since or 0, until or 0, step))
        for one in self.kept.get(ref, []):
            if (since or 0) <= one.time <= (until or float("inf")):
                yield one

    async def log(self, ref: str) -> AsyncIterator[KeptLine]:
        for line in self.logs.get(ref, []):
            yield line


class FakeBuilder:
    """Says the lines that it is handed; ``None`` ends a build well, an error ends it so."""

    def __init__(self) -> None:
        self.asked: list[BuildOptions] = []
        self.said: asyncio.Queue[Progress | Exception | None] = asyncio.Queue()
        self.cancelled = 0

    async def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Any = None,
        caller: Any = None,
    ) -> AsyncIterator[Progress]:
        self.asked.append(options or BuildOptions())
        try:
            while (line := await self.said.get()) is not None:
                if isinstance(line, Exception):
                    raise line
                yield line
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    def say(self, *lines: Progress | Exception | None) -> None:
        for line in lines:
            self.said.put_nowait(line)


class FakeSystem:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def version(self) -> Version:
        self.engine.check()
        return Version(version="1.0", platform=VersionPlatform(name=self.engine.platform))

    async def disk_usage(self) -> DiskUsage:
        self.engine.check()
        return DiskUsage(
            containers=[structs.replace(row, size_rw=1_000_000) for row in self.engine.rows.values()],
            volumes=[
                structs.replace(one, usage_data=VolumeUsage(size=52_000_000))
                for one in await FakeVolumes.list(self.engine.volumes)
            ],
        )

    async def examine(self) -> list[Check]:
        return self.engine.checks

    async def prunable(self, options: PruneOptions) -> PruneReport:
        gone = VolumesPruned(volumes_deleted=["uploads"], space_reclaimed=52_000_000)
        return PruneReport(volumes=gone if options.volumes is not None else None)

    async def info(self) -> Info:
        return Info(name="testhost")


class FakeEngine:
    """A ``Client``, and the hand that moves it."""

    def __init__(self, rows: list[ContainerSummary] | None = None) -> None:
        self.rows = {row.id: row for row in (some_containers() if rows is None else rows)}
        self.containers, self.images = FakeContainers(self), FakeImages(self)
        self.networks, self.volumes = FakeNetworks(self), FakeVolumes(self)
        self.history = FakeHistory()
        self.events, self.system = FakeEvents(self), FakeSystem(self)
        self.builder: Any = FakeBuilder()
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.queues: list[asyncio.Queue[Event | None]] = []
        self.past: list[Event] = []
        self.logs: dict[str, list[tuple[int, bytes]]] = {}
        self.execs: list[ExecCreate] = []
        self.shells = {"/bin/sh"}
        self.sizes: list[tuple[int, int]] = []
        self.pipe = Pipe()
        self.samples = 0
        #: one-shot samples that were given, and errors in place of them, by id
        self.turns: dict[str, int] = {}
        self.unmeasured: dict[str, Exception] = {}
        self.lists = 0
        #: the name of the platform in its version: moby's own
        self.platform = "moby"
        self.checks: list[Check] = []
        self.exposures: list[Exposure] = []
        self.down = False
        self.refusal: Exception | None = None
        self.flood = self.flood_over = False
        self.flooded = 0

    def row(self, ref: str) -> ContainerSummary:
        """By its id or name."""
        for row in self.rows.values():
            if ref in (row.id, row.names[0].lstrip("/")):
                return row
        raise NotFound(f"no such container: {ref}")

    def check(self) -> None:
        if self.down:
            raise Unavailable("cannot connect to the engine at /run/fake.sock; is it running?")

    def emit(self, kind: str, action: str, identifier: str, **attributes: str) -> None:
        event = Event(
            type=kind, action=action, actor=EventActor(id=identifier, attributes=attributes), time=NOW, time_nano=NOW * 10**9
        )
        for queue in self.queues:
            queue.put_nowait(event)

    def change(self, identifier: str, state: str, action: str) -> None:
        row = self.rows[identifier]
        row.state = state
        row.status = {"running": "Up 1 second", "exited": "Exited (0) 1 second ago", "paused": "Up 1 second (Paused)"}[state]
        self.emit("container", action, identifier, name=row.names[0].lstrip("/"))

    def lose(self) -> None:
        """The engine dies."""
        self.down = True
        for queue in self.queues:
            queue.put_nowait(None)
        self.queues.clear()

    async def close(self) -> None: ...
    async def __aenter__(self) -> FakeEngine:
        self.check()
        return self

    async def __aexit__(self, *exc: object) -> None: ...


def as_client(factory: Callable[[], FakeEngine]) -> Callable[[], Any]:
    """What a dashboard opens: the engine stands in for a client, of which it has what the dashboard uses."""
    return factory
