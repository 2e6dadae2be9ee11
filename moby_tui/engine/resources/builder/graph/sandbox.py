"""A container of a build in which the caller runs processes: a frontend, or what a client looks at a result with."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from moby_tui.engine.resources.builder.execution import mounts
from moby_tui.engine.resources.builder.graph.commands import Command, secret_variables
from moby_tui.engine.resources.builder.graph.outputs import Outputs, stripped
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import DEFAULT_PATH, scratch
from moby_tui.engine.resources.builder.sources import named
from moby_tui.engine.resources.builder.step import OpenedStep
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.reference import parse
from moby_tui.schema.build import Caller, StepProcess
from moby_tui.schema.operations import Execution, Mount, Process, Sandbox


async def carry_out(sandbox: Sandbox, shop: Workshop, content: ContentStore, caller: Caller) -> None:
    """Hands the container to the caller, for as long as that uses it. Raises what the caller raises, and the errors of a pull."""
    async with AsyncExitStack() as stack:
        await caller.use(await _opened(sandbox, shop, content, stack))


async def _opened(sandbox: Sandbox, shop: Workshop, content: ContentStore, stack: AsyncExitStack) -> _Container:
    outputs = Outputs(shop, [], sandbox.platform)
    outputs.inputs += [stripped(named.made(each, content) if each else scratch(outputs.platform)) for each in sandbox.inputs]
    if not sandbox.image:
        return _Container(sandbox, sandbox.mounts, shop, outputs, stack)
    name = parse(sandbox.image).tagged()
    with shop.report.step(f"resolve image config for docker-image://{name.canonical}"):
        image = await shop.base(name.familiar)
    outputs.inputs.append(stripped(image))
    root = Mount(kind="bind", target="/", input=len(outputs.inputs) - 1)
    container = _Container(sandbox, [root, *sandbox.mounts], shop, outputs, stack)
    container.config = image.config
    return container


class _Container:
    """Implements ``schema.build.StepContainer``. What it holds ends with ``stack``."""

    def __init__(self, sandbox: Sandbox, mounts: list[Mount], shop: Workshop, outputs: Outputs, stack: AsyncExitStack) -> None:
        self.config = scratch(outputs.platform).config
        self._sandbox = sandbox
        self._mounts = mounts
        self._shop = shop
        self._outputs = outputs
        self._stack = stack
        self._starting = asyncio.Lock()
        self._step: OpenedStep | None = None

    async def start(self, process: Process) -> StepProcess:
        if not process.command:
            raise InvalidArgument("a process of a build's container has no arguments")
        command = self._command(process)
        async with self._starting:
            if self._step is None:
                step = await command.step(self._stack, {}, await self._folders())
                self._step = await self._stack.enter_async_context(self._shop.steps.opened(step, tty=process.tty))
                return self._step.first
        environment = [*process.environment, *await secret_variables(self._shop, process.secrets)]
        if not any(each.startswith("PATH=") for each in environment):
            environment.insert(0, DEFAULT_PATH)
        return await self._step.execute(_with(process, environment))

    def _command(self, process: Process) -> Command:
        """Raises ``Forbidden``, and ``InvalidArgument`` for mounts that cannot be."""
        asked = Execution(
            command=process.command,
            environment=process.environment,
            working_directory=process.working_directory,
            user=process.user,
            hostname=self._sandbox.hostname,
            hosts=self._sandbox.hosts,
            mounts=self._mounts,
            secrets=process.secrets,
            network=process.network or self._sandbox.network,
            insecure=process.insecure,
        )
        return Command(self._shop, asked, self._outputs)

    async def _folders(self) -> dict[str, int]:
        """Mounts of the given folders, by their places."""
        trees = {}
        for place, files in self._sandbox.folders.items():
            folder = self._shop.scratch / f"given-{os.urandom(8).hex()}"
            trees[place] = await in_thread(partial(_mounted, folder, files))
            self._stack.callback(os.close, trees[place])
        return trees


def _mounted(folder: Path, files: dict[str, bytes]) -> int:
    """A mount of a new folder with these files. Blocking."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o400)
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return mounts.bind(root, b"")
    finally:
        os.close(root)


def _with(process: Process, environment: list[str]) -> Process:
    return Process(
        command=process.command,
        environment=environment,
        working_directory=process.working_directory,
        user=process.user,
        tty=process.tty,
        insecure=process.insecure,
    )
