"""``containers.run``: one command in a container of its own, the same for every engine, near or far.

It is made of what each engine's containers have: create, attach, wait, start and remove, in the order that misses neither the first
byte nor the exit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, overload

import msgspec

from moby_tui.errors import Conflict, ContainerFailed, MobyError, NotFound
from moby_tui.schema.container import AttachOptions, ContainerCreate, ContainerCreated, ContainerExit
from moby_tui.schema.stream import STDERR, Stream

if TYPE_CHECKING:
    from typing import Protocol

    class _Wait(Protocol):
        async def result(self) -> ContainerExit: ...
        async def close(self) -> None: ...

    class _Containers(Protocol):
        """What a run is made of."""

        async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated: ...
        async def start(self, ref: str) -> None: ...
        async def kill(self, ref: str, *, signal: str = "KILL") -> None: ...
        async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None: ...
        async def wait(self, ref: str, *, condition: str = "not-running") -> _Wait: ...
        async def attach(self, ref: str, options: AttachOptions) -> Stream: ...
        async def fetch_image(self, reference: str, platform: str) -> None: ...


#: Bytes of standard error that a failure tells: its last ones.
_TOLD = 1024 * 1024
_NO_IMAGE = "No such image"


class Runs:
    """Gives an engine's containers their ``run``."""

    @overload
    async def run(
        self: _Containers,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[False] = False,
    ) -> bytes: ...
    @overload
    async def run(
        self: _Containers,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[True],
    ) -> str: ...
    async def run(
        self: _Containers,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: bool = False,
    ) -> bytes | str:
        """Runs a command in a new container and returns what it wrote to its standard output; with ``detach``, at once, the id.

        ``image`` is a reference, or the whole configuration; the image is pulled if it is not here. ``command`` goes before the
        configuration's. With ``remove`` the container goes with its end, as with ``docker run --rm``. A call that is cancelled
        kills its container. Raises ``ContainerFailed`` if the command ends with another status than 0, ``CommandNotFound`` or
        ``CommandNotInvocable`` if it cannot be executed, and what create, pull and start raise.
        """
        config = _configuration(image, command, remove=remove, detach=detach)
        container = await _create(self, config, name, platform)
        if not detach:
            return await _foreground(self, config, container)
        await self.start(container)
        return container


def _configuration(image: str | ContainerCreate, command: Sequence[str] | None, *, remove: bool, detach: bool) -> ContainerCreate:
    config = ContainerCreate(image=image) if isinstance(image, str) else msgspec.structs.replace(image)
    if command is not None:
        config.cmd = [*command]
    if remove:
        config.host_config = msgspec.structs.replace(config.host_config, auto_remove=True)
    if not detach:
        config.attach_stdout = config.attach_stderr = True
    return config


async def _create(containers: _Containers, config: ContainerCreate, name: str, platform: str) -> str:
    try:
        return (await containers.create(config, name=name, platform=platform)).id
    except NotFound as error:
        if not error.message.startswith(_NO_IMAGE):
            raise
    await containers.fetch_image(config.image, platform)
    return (await containers.create(config, name=name, platform=platform)).id


async def _foreground(containers: _Containers, config: ContainerCreate, container: str) -> bytes:
    auto_remove = config.host_config.auto_remove
    try:
        stream = await containers.attach(container, AttachOptions())
        try:
            wait = await containers.wait(container, condition="removed" if auto_remove else "next-exit")
            try:
                await containers.start(container)
                output, errors = await _collect(stream)
                exit = await wait.result()
            finally:
                await wait.close()
        finally:
            stream.close()
    except asyncio.CancelledError:
        await _end(containers, container, remove=auto_remove)
        raise
    if exit.error is not None:
        raise MobyError(exit.error.message)
    if exit.status_code != 0:
        raise ContainerFailed(container, exit.status_code, output, errors)
    return output


async def _collect(stream: Stream) -> tuple[bytes, bytes]:
    """All of the standard output, and the end of the standard error."""
    output, errors = bytearray(), bytearray()
    async for descriptor, data in stream.output():
        if descriptor == STDERR:
            errors += data
            del errors[:-_TOLD]
        else:
            output += data
    return bytes(output), bytes(errors)


async def _end(containers: _Containers, container: str, *, remove: bool) -> None:
    """It may not run yet, or no more."""
    with suppress(NotFound, Conflict):
        if remove:
            await containers.remove(container, force=True, volumes=True)
        else:
            await containers.kill(container)
