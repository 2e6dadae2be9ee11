"""Containers of a remote engine."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from moby_tui.api.client.images import split
from moby_tui.api.client.path_stat import path_stat
from moby_tui.api.client.transport import Exchange
from moby_tui.errors import CommandNotFound, CommandNotInvocable, MobyError
from moby_tui.running import Runs
from moby_tui.schema.base import Filters
from moby_tui.schema.container import (
    AttachOptions,
    Committed,
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainerExit,
    ContainerInspect,
    ContainersPruned,
    ContainerSummary,
    ContainerUpdate,
    ContainerUpdated,
    ExecCreate,
    ExecCreated,
    ExecInspect,
    ExecStart,
    LogOptions,
    PathChange,
    PathStat,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import STDOUT, SYSTEM_ERROR, FrameDecoder, Stream

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
#: From this version on the content type tells whether a stream is framed.
_TYPED_STREAMS = (1, 42)
_MAX_EXIT = 1024 * 1024
_MISSING = ("executable file not found", "no such file or directory", "system cannot find the file specified")
_UNUSABLE = ("permission denied", "is a directory")


def _path(ref: str, rest: str = "") -> str:
    return f"/containers/{quote(ref, safe='')}{rest}"


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


class RemoteContainers(Runs):
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, *, all: bool = False, limit: int = 0, size: bool = False, filters: Filters | None = None
    ) -> builtins.list[ContainerSummary]:
        query = {"all": all, "limit": limit or None, "size": size, "filters": filters}
        return await self._session.get("/containers/json", builtins.list[ContainerSummary], query)

    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        query = {"name": name, "platform": platform}
        if config.host_config.secrets:
            from moby_tui.api.client.ours import ours  # few commands come here

            # another engine would leave them out without a word
            with ours("option --secret"):
                await self._session.send("GET", "/moby/secrets", {"filters": {"name": ["-"]}})
        return await self._session.ask("POST", "/containers/create", ContainerCreated, query, config)

    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        return await self._session.get(_path(ref, "/json"), ContainerInspect, {"size": size})

    async def fetch_image(self, reference: str, platform: str) -> None:
        """For ``run``."""
        from moby_tui.api.client.images import RemoteImages

        async for _ in RemoteImages(self._session).pull(reference, platform=platform):
            pass

    async def start(self, ref: str) -> None:
        try:
            await self._session.send("POST", _path(ref, "/start"))
        except MobyError as error:
            raise _start_error(error) from None

    async def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        await self._session.send("POST", _path(ref, "/stop"), {"t": timeout, "signal": signal})

    async def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        try:
            await self._session.send("POST", _path(ref, "/restart"), {"t": timeout, "signal": signal})
        except MobyError as error:
            raise _start_error(error) from None

    async def kill(self, ref: str, *, signal: str = "KILL") -> None:
        await self._session.send("POST", _path(ref, "/kill"), {"signal": signal})

    async def pause(self, ref: str) -> None:
        await self._session.send("POST", _path(ref, "/pause"))

    async def unpause(self, ref: str) -> None:
        await self._session.send("POST", _path(ref, "/unpause"))

    async def rename(self, ref: str, name: str) -> None:
        await self._session.send("POST", _path(ref, "/rename"), {"name": name})

    async def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        return await self._session.ask("POST", _path(ref, "/update"), ContainerUpdated, None, changes)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        await self._session.send("DELETE", _path(ref), {"force": force, "v": volumes})

    async def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        from moby_tui.api.client.ours import ours  # few commands come here

        with ours("changing published ports"):
            return await self._session.ask("POST", f"/moby{_path(ref, '/ports')}", PortsChanged, None, changes)

    async def remove_link(self, name: str) -> None:
        await self._session.send("DELETE", f"/containers/{quote(name.strip('/'))}", {"link": True})

    async def prune(self, *, filters: Filters | None = None) -> ContainersPruned:
        return await self._session.ask("POST", "/containers/prune", ContainersPruned, {"filters": filters})

    async def wait(self, ref: str, *, condition: str = "not-running") -> RemoteWait:
        return RemoteWait(self._session, await self._session.open("POST", _path(ref, "/wait"), {"condition": condition}))

    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        query = {
            "stream": options.stream,
            "stdin": options.stdin,
            "stdout": options.stdout,
            "stderr": options.stderr,
            "logs": options.logs,
            "detachKeys": options.detach_keys,
        }
        exchange = await self._session.open("POST", _path(ref, "/attach"), query, headers=_UPGRADE)
        return await self._stream(exchange, lambda: self._has_terminal(ref))

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        query = {
            "stdout": options.stdout,
            "stderr": options.stderr,
            "follow": options.follow,
            "timestamps": options.timestamps,
            "since": f"{options.since:.9f}" if options.since else None,
            "until": f"{options.until:.9f}" if options.until else None,
            "details": options.details,
            "tail": "all" if options.tail is None else options.tail,
        }
        exchange = await self._session.open("GET", _path(ref, "/logs"), query)
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

    async def stats(self, ref: str, *, stream: bool = True, one_shot: bool = False) -> AsyncIterator[Stats]:
        query = {"stream": int(stream), "one-shot": one_shot}
        exchange = await self._session.open("GET", _path(ref, "/stats"), query)
        async with aclosing(self._session.lines(exchange, Stats)) as samples:
            async for sample in samples:
                yield sample

    async def top(self, ref: str, ps_args: str = "-ef") -> Top:
        return await self._session.get(_path(ref, "/top"), Top, {"ps_args": ps_args})

    async def resize(self, ref: str, *, height: int, width: int) -> None:
        await self._session.send("POST", _path(ref, "/resize"), {"h": height, "w": width})

    async def changes(self, ref: str) -> builtins.list[PathChange]:
        return await self._session.get(_path(ref, "/changes"), builtins.list[PathChange] | None) or []  # type: ignore[arg-type]

    async def exec_create(self, ref: str, config: ExecCreate) -> str:
        return (await self._session.ask("POST", _path(ref, "/exec"), ExecCreated, None, config)).id

    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        path = f"/exec/{quote(exec_id, safe='')}/start"
        if options.detach:
            exchange = await self._session.open_json("POST", path, None, options)
            await exchange.close()
            return None
        headers = {**_UPGRADE, "Content-Type": "application/json"}
        exchange = await self._session.open("POST", path, body=msgspec.json.encode(options), headers=headers)
        return await self._stream(exchange, lambda: _known(options.tty))

    async def exec_inspect(self, exec_id: str) -> ExecInspect:
        return await self._session.get(f"/exec/{quote(exec_id, safe='')}/json", ExecInspect)

    async def exec_resize(self, exec_id: str, *, height: int, width: int) -> None:
        await self._session.send("POST", f"/exec/{quote(exec_id, safe='')}/resize", {"h": height, "w": width})

    async def archive_stat(self, ref: str, path: str) -> PathStat:
        exchange = await self._session.open("HEAD", _path(ref, "/archive"), {"path": path})
        await exchange.close()
        return path_stat(exchange.headers)

    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        exchange = await self._session.open("GET", _path(ref, "/archive"), {"path": path})
        return path_stat(exchange.headers), exchange.pieces()

    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        query = {"path": path, "noOverwriteDirNonDir": no_overwrite_dir_non_dir, "copyUIDGID": copy_uid_gid}
        headers = {"Content-Type": "application/x-tar"}
        exchange = await self._session.open("PUT", _path(ref, "/archive"), query, body=archive, headers=headers)
        await exchange.close()

    async def commit(
        self,
        ref: str,
        *,
        reference: str = "",
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        config: ContainerConfig | None = None,
        pause: bool = True,
    ) -> str:
        repo, tag = split(reference) if reference else ("", "")
        query = {
            "container": ref,
            "repo": repo,
            "tag": tag,
            "comment": message,
            "author": author,
            "changes": list(changes),
            "pause": int(pause),
        }
        return (await self._session.ask("POST", "/commit", Committed, query, config)).id

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        exchange = await self._session.open("GET", _path(ref, "/export"))
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def _stream(self, exchange: Exchange, ask: Callable[[], Awaitable[bool]]) -> Stream:
        try:
            tty = await self._is_raw(exchange, ask)
        except BaseException:
            await exchange.close()
            raise
        reader, writer = exchange.hijack()
        return Stream(reader, writer, tty=tty)

    async def _is_raw(self, exchange: Exchange, ask: Callable[[], Awaitable[bool]]) -> bool:
        if await self._session.version() >= _TYPED_STREAMS:
            return exchange.headers.get("content-type") != MULTIPLEXED
        return await ask()

    async def _has_terminal(self, ref: str) -> bool:
        return (await self.inspect(ref)).config.tty


async def _known(value: bool) -> bool:
    return value
