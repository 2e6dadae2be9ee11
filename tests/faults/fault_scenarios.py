"""What the engine processes of the fault tests do. Each scenario takes its request and returns what it has to say, as JSON."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from moby_tui.api.client.address import parse_host
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.protocol import Client
from moby_tui.api.server.serve import serve
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import fault
from moby_tui.engine.store.state import State
from moby_tui.errors import MobyError, NotFound, Unavailable
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    HostConfig,
    PortBinding,
    PortChanges,
    RestartPolicy,
)
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import NetworkCreate

T = TypeVar("T")
Request = dict[str, Any]
#: One step of a life takes some 30 ms.
STEP_SECONDS = 12.0
STATES = ("created", "running", "paused", "exited", "restarting")


#: At 20 ms each: longer than the pause before a first restart, with the machine busy.
_LOOKS = 150


class Life:
    """Does one thing after another whatever went wrong before, and remembers what was said."""

    def __init__(self, engine: Client, port: int, *, runtime: str = "") -> None:
        self.containers = engine.containers
        self.networks = engine.networks
        self._port = port
        self._runtime = runtime
        #: errors that a person is meant to see
        self.said: list[str] = []
        #: what must never come out of an engine
        self.wrong: list[str] = []

    async def step(self, name: str, work: Awaitable[T]) -> T | None:
        try:
            return await asyncio.wait_for(work, STEP_SECONDS)
        except TimeoutError:
            self.wrong.append(f"{name}: hung")
        except MobyError as error:
            self.said.append(f"{name}: {error}")
            if "\n" in str(error) or not str(error):
                self.wrong.append(f"{name}: not one line: {error!r}")
        except OSError as error:
            self.said.append(f"{name}: {error}")
            if isinstance(error, FileNotFoundError):
                self.wrong.append(f"{name}: {error!r}")
        except Exception as error:
            self.wrong.append(f"{name}: {error!r}")
        return None

    async def create(self, *command: str, published: bool = False, remove: bool = False, mode: str = "bridge") -> str | None:
        host = HostConfig(network_mode=mode, auto_remove=remove, runtime=self._runtime)
        if published:
            host.port_bindings = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=str(self._port))]}
        volumes: dict[str, dict[str, str]] | None = {"/cache": {}} if remove else None
        asked = ContainerCreate(image="busybox", cmd=list(command), host_config=host, volumes=volumes)
        made = await self.step("create", self.containers.create(asked))
        return made.id if made else None

    async def start(self, ident: str) -> None:
        await self.step("start", self.containers.start(ident))

    async def execute(self, ident: str, *, detach: bool) -> None:
        asked = ExecCreate(cmd=["echo", "hello"])
        execution = await self.step("exec create", self.containers.exec_create(ident, asked))
        if execution is None:
            return
        stream = await self.step("exec start", self.containers.exec_start(execution, ExecStart(detach=detach)))
        if stream is not None:
            await self.step("exec output", _drain(stream))
            stream.close()

    async def long(self) -> None:
        """A container that stays: attached, executed in, paused, stopped, started again, killed and removed."""
        ident = await self.create("sleep", "60", published=True)
        if ident is None:
            return
        stream = await self.step("attach", self.containers.attach(ident, AttachOptions()))
        await self.start(ident)
        await self.execute(ident, detach=False)
        await self.execute(ident, detach=True)
        await self.step("pause", self.containers.pause(ident))
        await self.step("unpause", self.containers.unpause(ident))
        await self.step("stop", self.containers.stop(ident, signal="KILL", timeout=2))
        await self.start(ident)
        await self.step("kill", self.containers.kill(ident))
        if stream is not None:
            stream.close()
        await self.step("remove", self.containers.remove(ident))

    async def short(self) -> None:
        """A container that goes with its end."""
        ident = await self.create("true", remove=True)
        if ident is None:
            return
        waiter = await self.step("wait", self.containers.wait(ident, condition="removed"))
        await self.start(ident)
        if waiter is not None:
            await self.step("result", waiter.result())

    async def apart(self) -> None:
        """A container that the process standing by cannot become, as it shares what is the host's."""
        host = HostConfig(network_mode="none", pid_mode="host", auto_remove=True)
        made = await self.step("create", self.containers.create(ContainerCreate(image="busybox", cmd=["true"], host_config=host)))
        if made is not None:
            waiter = await self.step("wait", self.containers.wait(made.id, condition="removed"))
            await self.start(made.id)
            if waiter is not None:
                await self.step("result", waiter.result())

    async def restarting(self) -> None:
        """A container that is started again by its monitor, once."""
        policy = RestartPolicy(name="on-failure", maximum_retry_count=1)
        host = HostConfig(network_mode="none", restart_policy=policy)
        asked = ContainerCreate(image="busybox", cmd=["false"], host_config=host)
        made = await self.step("create", self.containers.create(asked))
        if made is None:
            return
        await self.start(made.id)
        await self.step("ended again", self._ended_again(made.id))
        await self.step("remove", self.containers.remove(made.id, force=True))

    async def _ended_again(self, ident: str) -> None:
        """Each of its ends is told; only the state says which was the last."""
        for _ in range(_LOOKS):
            found = await self.containers.inspect(ident)
            if not found.state.running and not found.state.restarting:
                return
            await asyncio.sleep(0.02)

    async def connected(self) -> None:
        """A container in a network of the user's, connected to another while it runs, and disconnected."""
        for name in ("front", "back"):
            await self.step("network create", self.networks.create(NetworkCreate(name=name)))
        ident = await self.create("sleep", "60", published=True, mode="front")
        if ident is not None:
            await self.start(ident)
            await self.step("publish", self.containers.change_ports(ident, self._moved()))
            await self.step("network connect", self.networks.connect("back", ident))
            await self.step("network disconnect", self.networks.disconnect("back", ident))
            await self.step("network connect again", self.networks.connect("back", ident))
            await self.step("remove", self.containers.remove(ident, force=True))
        for name in ("front", "back"):
            await self.step("network remove", self.networks.remove(name))

    def _moved(self) -> PortChanges:
        """The published port, to lead to another one of the container."""
        again = PortBinding(host_ip="127.0.0.1", host_port=str(self._port))
        return PortChanges(publish={"81/tcp": [again]}, withdraw=[str(self._port)])

    async def failing(self) -> None:
        """A container that does not start."""
        ident = await self.create("no-such-command", mode="none")
        if ident is not None:
            await self.start(ident)
            await self.step("remove", self.containers.remove(ident, force=True))


async def _drain(stream: Any) -> None:
    async for _ in stream.output():
        pass


#: The containers of a life, one after another; each is named after the method of ``Life`` that it is.
CONTAINERS = ("long", "short", "apart", "restarting", "connected", "failing")


async def life(request: Request) -> dict[str, Any]:
    """Everything of which the points are the steps; only the ``containers`` of the request, if it names some.

    ``hits_before`` of the answer: for each container how many points had been passed when its turn came.
    """
    hits_before = {}
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        for container in request.get("containers", CONTAINERS):
            hits_before[container] = len(_hits())
            await getattr(told, container)()
        return {"said": told.said, "wrong": told.wrong, "hits_before": hits_before}


def _hits() -> list[str]:
    path = Path(f"{os.environ[fault.VARIABLE]}.hits")
    return path.read_text().splitlines() if path.exists() else []


async def outside(request: Request) -> dict[str, Any]:
    """The lives of containers that the program ``runtime`` makes."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"], runtime=request["runtime"])
        await told.long()
        await told.short()
        return {"said": told.said, "wrong": told.wrong}


async def daemon(request: Request) -> dict[str, Any]:
    """Serves until it is told to end."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        await serve(engine, [request["host"]])
    return {}


async def served(request: Request) -> dict[str, Any]:
    """The life of a client; the process ``daemon`` serves it, and may be killed meanwhile."""
    client = HttpClient(parse_host(request["host"]))
    told = Life(client, request["port"])
    if await told.step("connect", _connected(client)):
        await told.long()
        await told.short()
        await told.connected()
        await client.close()
    with suppress(ProcessLookupError):
        os.kill(request["daemon"], signal.SIGTERM)
    await told.step("end", asyncio.to_thread(os.waitpid, request["daemon"], 0))
    return {"said": told.said, "wrong": told.wrong}


async def _connected(client: HttpClient) -> bool:
    """Once the daemon serves."""
    while True:
        try:
            await client.__aenter__()
            return True
        except Unavailable:
            await asyncio.sleep(0.02)


async def kept(request: Request) -> dict[str, Any]:
    """A container that goes on running, for the command lines that need one."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        ident = await told.create("sleep", "60", published=True)
        if ident is not None:
            await told.step("rename", engine.containers.rename(ident, "kept"))
            await told.start(ident)
        return {"said": told.said, "wrong": told.wrong + told.said}


async def orphans(request: Request) -> dict[str, Any]:
    """A container, and one that goes with its end, whose monitors are killed: when no engine is open any more, which would put it right."""
    monitors = []
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        for remove in (False, True):
            ident = await told.create("sleep", "60", published=not remove, remove=remove)
            if ident is not None:
                await told.start(ident)
                monitors.append(State.read(str(engine.paths.container(ident).state)).monitor)
    for pid in monitors:
        os.kill(pid, signal.SIGKILL)
    return {"said": told.said, "wrong": told.wrong}


async def load(request: Request) -> dict[str, Any]:
    """Puts the image into fresh roots and has the bridge made."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        async for _ in engine.images.load(_content(request["archive"])):
            pass
        told = Life(engine, request["port"])
        await told.short()
        return {"said": told.said, "wrong": told.wrong}


async def _content(path: str) -> AsyncIterator[bytes]:
    yield Path(path).read_bytes()


async def reconcile(request: Request) -> dict[str, Any]:
    """The next engine: every container is in a state that can be told, can be removed, and leaves the port and the name free.

    ``start``: whether those that do not run are started first, which also puts things right.
    """
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        for row in await engine.containers.list(all=True):
            said = len(told.said)
            await _look_at(told, row.id, start=request["start"])
            if row.id not in {other.id for other in await engine.containers.list(all=True)}:
                # it went with its end while it was looked at
                del told.said[said:]
            await told.step("remove by force", _remove(engine, row.id))
        for network in await engine.networks.list(filters={"type": ["custom"]}):
            await told.step("network remove", engine.networks.remove(network.id))
        if left := await engine.containers.list(all=True):
            told.wrong.append(f"rows: {[row.id for row in left]}")
        _check_port(request["port"], told.wrong)
        return {"said": told.said, "wrong": told.wrong}


async def prune(request: Request) -> dict[str, Any]:
    """Removes the volumes that belong to nobody."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        await told.step("prune", engine.volumes.prune())
        return {"said": told.said, "wrong": told.wrong + told.said}


async def again(request: Request) -> dict[str, Any]:
    """A life on the same roots in which nothing goes wrong."""
    async with Engine.open(request["data"], request["exec"]) as engine:
        told = Life(engine, request["port"])
        ident = await told.create("sleep", "60", published=True)
        if ident is not None:
            await told.start(ident)
            await told.execute(ident, detach=False)
            await told.step("remove", engine.containers.remove(ident, force=True))
        return {"said": told.said, "wrong": told.wrong + told.said}


async def _remove(engine: Engine, ident: str) -> None:
    # one that goes with its end may have ended meanwhile
    with suppress(NotFound):
        await engine.containers.remove(ident, force=True, volumes=True)


async def _look_at(told: Life, ident: str, *, start: bool) -> None:
    seen = await told.step("inspect", told.containers.inspect(ident))
    if seen is None:
        return
    if seen.state.status not in STATES:
        told.wrong.append(f"state {seen.state.status}")
    if seen.state.running and not os.path.exists(f"/proc/{seen.state.pid}/exe"):
        # it may be ending just now
        await asyncio.sleep(0.3)
        try:
            seen = await told.containers.inspect(ident)
        except NotFound:
            return
        if seen.state.running:
            told.wrong.append(f"it is said to run, and pid {seen.state.pid} is not there")
    if seen.state.status == "running":
        await told.step("exec", told.containers.exec_create(ident, ExecCreate(cmd=["true"])))
    if start and seen.state.status in ("created", "exited") and seen.path != "no-such-command":
        await told.start(ident)


def _check_port(port: int, wrong: list[str]) -> None:
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", port))
        except OSError as error:
            wrong.append(f"port {port}: {error}")


SCENARIOS: dict[str, Callable[[Request], Coroutine[Any, Any, dict[str, Any]]]] = {
    function.__name__: function for function in (life, outside, daemon, served, kept, orphans, load, reconcile, prune, again)
}
