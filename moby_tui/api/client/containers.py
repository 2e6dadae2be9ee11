"""Containers of an engine elsewhere: what is not as the table of operations has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from moby_tui.api.client.archives import RemoteArchives
from moby_tui.api.client.transport import Exchange
from moby_tui.api.operations.containers import Containers
from moby_tui.errors import CommandNotFound, CommandNotInvocable, MobyError
from moby_tui.running import Runs
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    ContainerCreated,
    ContainerExit,
    LogOptions,
)
from moby_tui.schema.exec import ExecStart
from moby_tui.schema.stream import STDOUT, SYSTEM_ERROR, FrameDecoder, Stream

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
#: From this version on the content type tells whether a stream is framed.
_TYPED_STREAMS = (1, 42)
_MISSING = ("executable file not found", "no such file or directory", "system cannot find the file specified")
_UNUSABLE = ("permission denied", "is a directory")


def _start_error(error: MobyError) -> MobyError:
    """The API has no status for a command that is missing or cannot be executed; the text tells, as it tells the docker CLI."""
    if any(text in error.message for text in _MISSING):
        return CommandNotFound(error.message)
    if any(text in error.message for text in _UNUSABLE):
        return CommandNotInvocable(error.message)
    return error


class RemoteWait:
    """The far engine has registered the wait when it has sent its headers."""

    def __init__(self, session: Session, exchange: Exchange) -> None:
        self._session = session
        self._exchange = exchange

    async def result(self) -> ContainerExit:
        async with aclosing(self._session.lines(self._exchange, ContainerExit)) as answers:
            async for answer in answers:
                return answer
        raise MobyError("the engine ended the wait without an answer: is it shutting down?")

    async def close(self) -> None:
        await self._exchange.close()


class RemoteContainers(Runs, RemoteArchives):
    family = Containers

    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        if config.host_config.secrets:
            from moby_tui.api.client.ours import ours  # few commands come here

            # another engine would leave them out without a word
            with ours("option --secret"):
                await self._session.send("GET", "/moby/secrets", {"filters": {"name": ["-"]}})
        return await self._session.read(await self.ask("create", config, name=name, platform=platform), ContainerCreated)

    async def fetch_image(self, reference: str, platform: str) -> None:
        """For ``run``."""
        from moby_tui.api.client.images import RemoteImages

        async for _ in RemoteImages(self._session).pull(reference, platform=platform):
            pass

    async def start(self, ref: str) -> None:
        await self._begin("start", ref)

    async def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        await self._begin("restart", ref, timeout=timeout, signal=signal)

    async def _begin(self, name: str, *positional: Any, **named: Any) -> None:
        try:
            exchange = await self.ask(name, *positional, **named)
        except MobyError as error:
            raise _start_error(error) from None
        await exchange.close()

    async def remove_link(self, name: str) -> None:
        exchange = await self.compose("remove", {"ref": name.strip("/"), "link": True})
        await exchange.close()

    async def wait(self, ref: str, *, condition: str = "not-running") -> RemoteWait:
        return RemoteWait(self._session, await self.ask("wait", ref, condition=condition))

    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        exchange = await self.ask("attach", ref, options, headers=_UPGRADE)
        return await self._stream(exchange, lambda: self._has_terminal(ref))

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        exchange = await self.ask("logs", ref, options)
        tty = await self._is_raw(exchange, lambda: self._has_terminal(ref))
        decoder, rest = FrameDecoder(), dict[int, bytes]()
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                for descriptor, data in [(STDOUT, piece)] if tty else decoder.feed(piece):
                    if descriptor == SYSTEM_ERROR:
                        raise MobyError(data.decode(errors="replace").strip())
                    *lines, rest[descriptor] = (rest.get(descriptor, b"") + data).split(b"\n")
                    for line in lines:
                        yield descriptor, line + b"\n"
        for descriptor, data in rest.items():
            if data:
                yield descriptor, data

    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        if options.detach:
            exchange = await self.ask("exec_start", exec_id, options)
            await exchange.close()
            return None
        exchange = await self.ask("exec_start", exec_id, options, headers=_UPGRADE)
        return await self._stream(exchange, lambda: _known(options.tty))

    async def _stream(self, exchange: Exchange, ask: Callable[[], Awaitable[bool]]) -> Stream:
        try:
            tty = await self._is_raw(exchange, ask)
        except BaseException:
            await exchange.close()
            raise
        reader, writer = exchange.hijack()
        return Stream(reader, writer, tty=tty)

    async def _is_raw(self, exchange: Exchange, ask: Callable[[], Awaitable[bool]]) -> bool:
        """Whether the stream comes without frames, as a terminal's. Podman does not say it in the answer to ``logs``."""
        kind = exchange.headers.get("content-type")
        if kind and await self._session.version() >= _TYPED_STREAMS:
            return kind != MULTIPLEXED
        return await ask()

    async def _has_terminal(self, ref: str) -> bool:
        return bool((await self.inspect(ref)).config.tty)


async def _known(value: bool) -> bool:
    return value
