"""Containers in which a director runs processes: on the results of its builds (NewContainer)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from moby_tui.api.buildkit.control import definition
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.engine.tasks import settled
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.build import Made, StepContainer
from moby_tui.schema.operations import NONE, Mount, Sandbox

#: More containers than a client looks at.
_MOST = 100
Use = Callable[[StepContainer], Awaitable[None]]


class Containers:
    """Of one director, by the ids that it has given them. ``made`` finds images, ``occupy`` makes containers, as ``Solver`` has both."""

    def __init__(self, made: Callable[[str], Awaitable[Made]], occupy: Callable[[Sandbox, Use], Awaitable[None]]) -> None:
        self._made = made
        self._occupy = occupy
        self._all: dict[str, _Held] = {}

    async def make(self, request: pb.NewContainerRequest) -> None:
        """Raises ``Conflict`` for an id that is in use, ``NotFound`` for an unknown image, ``InvalidArgument``."""
        if request.ContainerID in self._all:
            raise Conflict(f"Container {request.ContainerID[:80]} already exists")
        if len(self._all) >= _MOST:
            raise InvalidArgument(f"a build has more than {_MOST} containers")
        held = self._all[request.ContainerID] = _Held()
        try:
            await held.begin(self._occupy, await self._sandbox(request))
        except BaseException:
            await self._all.pop(request.ContainerID).end()
            raise

    async def _sandbox(self, request: pb.NewContainerRequest) -> Sandbox:
        inputs, mounts = list[str](), list[Mount]()
        for each in request.Mounts:
            place = NONE
            if each.resultID:
                place = len(inputs)
                inputs.append((await self._made(each.resultID)).manifest.digest)
            mounts.append(definition.mount(each, place))
        return Sandbox(
            inputs=inputs,
            mounts=mounts,
            platform=definition.platform(request.platform) if request.HasField("platform") else "",
            network=definition.network(request.Network),
            hostname=request.hostname,
            hosts=[f"{each.Host}:{each.IP}" for each in request.extraHosts],
        )

    def get(self, ident: str) -> StepContainer:
        """Raises ``NotFound``."""
        held = self._all.get(ident)
        if held is None or not held.container.done():
            raise NotFound(f'container "{ident[:80]}" previously released or not created')
        return held.container.result()

    async def release(self, ident: str) -> None:
        """Ends a container and all that runs in it. Raises ``NotFound``."""
        if ident not in self._all:
            raise NotFound(f"container details for {ident[:80]} not found")
        await self._all.pop(ident).end()

    async def close(self) -> None:
        while self._all:
            await self._all.popitem()[1].end()


class _Held:
    """A container from its making to its release."""

    def __init__(self) -> None:
        self.container: asyncio.Future[StepContainer] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, occupy: Callable[[Sandbox, Use], Awaitable[None]], sandbox: Sandbox) -> None:
        """Returns once the container can be used. Raises ``MobyError``."""
        self._task = asyncio.ensure_future(occupy(sandbox, self._hold))
        waited: list[asyncio.Future[Any]] = [self._task, self.container]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not self.container.done():
            await self._task
            raise MobyError("the container has ended before its use")

    async def _hold(self, container: StepContainer) -> None:
        self.container.set_result(container)
        await asyncio.get_running_loop().create_future()

    async def end(self) -> None:
        self.container.cancel()
        if self._task is not None:
            self._task.cancel()
            await settled(self._task)
