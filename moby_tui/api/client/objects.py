"""Networks, volumes, events and the remote engine itself."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

from moby_tui.api.client.ours import ours
from moby_tui.api.client.path_stat import path_stat
from moby_tui.schema.base import Filters
from moby_tui.schema.container import EndpointSettings, PathStat
from moby_tui.schema.event import Event
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.network import Network, NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect, NetworksPruned
from moby_tui.schema.secret import Secret, SecretCreate, SecretCreated
from moby_tui.schema.system import DiskUsage, Info, Login, PruneOptions, PruneReport, Version
from moby_tui.schema.traffic import Exposure, Finding, Shape
from moby_tui.schema.volume import Volume, VolumeCreate, VolumeFile, VolumeList, VolumesPruned

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session


class RemoteNetworks:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, filters: Filters | None = None) -> builtins.list[Network]:
        return await self._session.get("/networks", builtins.list[Network], {"filters": filters})

    async def inspect(self, ref: str, *, verbose: bool = False) -> Network:
        return await self._session.get(f"/networks/{quote(ref, safe='')}", Network, {"verbose": verbose or None})

    async def create(self, config: NetworkCreate) -> NetworkCreated:
        return await self._session.ask("POST", "/networks/create", NetworkCreated, None, config)

    async def remove(self, ref: str) -> None:
        await self._session.send("DELETE", f"/networks/{quote(ref, safe='')}")

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        return await self._session.ask("POST", "/networks/prune", NetworksPruned, {"filters": filters})

    async def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None:
        body = NetworkConnect(container=container, endpoint_config=config)
        await self._session.send("POST", f"/networks/{quote(ref, safe='')}/connect", None, body)

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        body = NetworkDisconnect(container=container, force=force)
        await self._session.send("POST", f"/networks/{quote(ref, safe='')}/disconnect", None, body)

    async def exposure(self) -> builtins.list[Exposure]:
        with ours("network exposure"):
            return await self._session.get("/moby/networks/exposure", builtins.list[Exposure])

    async def examine(self) -> builtins.list[Finding]:
        with ours("network doctor"):
            return await self._session.get("/moby/networks/doctor", builtins.list[Finding])

    async def shapes(self, container: str) -> builtins.list[Shape]:
        with ours("network shape"):
            return await self._session.get(f"/moby/containers/{quote(container, safe='')}/shape", builtins.list[Shape])

    async def shape(self, container: str, shape: Shape) -> None:
        with ours("network shape"):
            await self._session.send("POST", f"/moby/containers/{quote(container, safe='')}/shape", None, shape)


def _own_path(volume: str, part: str) -> str:
    return f"/moby/volumes/{quote(volume, safe='')}/{part}"


class RemoteVolumes:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, filters: Filters | None = None) -> builtins.list[Volume]:
        return (await self.listed(filters=filters)).volumes

    async def listed(self, *, filters: Filters | None = None) -> VolumeList:
        return await self._session.get("/volumes", VolumeList, {"filters": filters})

    async def create(self, config: VolumeCreate) -> Volume:
        return await self._session.ask("POST", "/volumes/create", Volume, None, config)

    async def inspect(self, name: str) -> Volume:
        return await self._session.get(f"/volumes/{quote(name, safe='')}", Volume)

    async def remove(self, name: str, *, force: bool = False) -> None:
        await self._session.send("DELETE", f"/volumes/{quote(name, safe='')}", {"force": force})

    async def prune(self, *, filters: Filters | None = None) -> VolumesPruned:
        return await self._session.ask("POST", "/volumes/prune", VolumesPruned, {"filters": filters})

    async def rename(self, name: str, new: str) -> None:
        with ours("volume rename"):
            await self._session.send("POST", _own_path(name, "rename"), {"name": new})

    async def clone(self, name: str, new: str) -> Volume:
        with ours("volume clone"):
            return await self._session.ask("POST", _own_path(name, "clone"), Volume, {"name": new})

    async def files(self, name: str, path: str = "/") -> AsyncIterator[VolumeFile]:
        with ours("volume files"):
            exchange = await self._session.open("GET", _own_path(name, "files"), {"path": path})
        async with aclosing(self._session.lines(exchange, VolumeFile)) as lines:
            async for line in lines:
                yield line

    async def archive_stat(self, name: str, path: str) -> PathStat:
        with ours("volume cp"):
            exchange = await self._session.open("HEAD", _own_path(name, "archive"), {"path": path})
        await exchange.close()
        return path_stat(exchange.headers)

    async def archive_get(self, name: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        with ours("volume cp"):
            exchange = await self._session.open("GET", _own_path(name, "archive"), {"path": path})
        return path_stat(exchange.headers), exchange.pieces()

    async def archive_put(
        self,
        name: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        query = {"path": path, "noOverwriteDirNonDir": no_overwrite_dir_non_dir, "copyUIDGID": copy_uid_gid}
        headers = {"Content-Type": "application/x-tar"}
        with ours("volume cp"):
            exchange = await self._session.open("PUT", _own_path(name, "archive"), query, body=archive, headers=headers)
        await exchange.close()


class RemoteSecrets:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, filters: Filters | None = None) -> builtins.list[Secret]:
        with ours("secret ls"):
            return await self._session.get("/moby/secrets", builtins.list[Secret], {"filters": filters})

    async def create(self, config: SecretCreate) -> SecretCreated:
        with ours("secret create"):
            return await self._session.ask("POST", "/moby/secrets/create", SecretCreated, None, config)

    async def inspect(self, ref: str) -> Secret:
        with ours("secret inspect"):
            return await self._session.get(f"/moby/secrets/{quote(ref, safe='')}", Secret)

    async def remove(self, ref: str) -> None:
        with ours("secret rm"):
            await self._session.send("DELETE", f"/moby/secrets/{quote(ref, safe='')}")


class RemoteEvents:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def stream(
        self, *, since: float | None = None, until: float | None = None, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        query = {
            "since": None if since is None else f"{since:.9f}",
            "until": None if until is None else f"{until:.9f}",
            "filters": filters,
        }
        exchange = await self._session.open("GET", "/events", query)
        async with aclosing(self._session.lines(exchange, Event)) as events:
            async for event in events:
                yield event


class RemoteSystem:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def ping(self) -> None:
        await self._session.send("GET", "/_ping")

    async def version(self) -> Version:
        return await self._session.get("/version", Version)

    async def info(self) -> Info:
        return await self._session.get("/info", Info)

    async def login(self, auth: RegistryAuth) -> Login:
        return await self._session.ask("POST", "/auth", Login, None, auth)

    async def disk_usage(self) -> DiskUsage:
        return await self._session.get("/system/df", DiskUsage)

    async def prunable(self, options: PruneOptions) -> PruneReport:
        with ours("a dry run of prune"):
            return await self._session.ask("POST", "/moby/prunable", PruneReport, None, options)
