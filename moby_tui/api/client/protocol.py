"""What every engine answers, near or far: the in-process engine and the remote one over HTTP both are a ``Client``.

All calls are coroutines or asynchronous iterators in schema types, and raise the errors of ``moby_tui.errors``. A
``ref`` is a full id, a name, or a unique prefix of an id. What a family can do is declared in ``api/operations``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from moby_tui.api.operations.builder import Builder
from moby_tui.api.operations.containers import Containers, ExitWait
from moby_tui.api.operations.history import History
from moby_tui.api.operations.images import Images
from moby_tui.api.operations.networks import Networks
from moby_tui.api.operations.registry import Registry
from moby_tui.api.operations.secrets import Secrets
from moby_tui.api.operations.system import Events, System
from moby_tui.api.operations.volumes import Volumes
from moby_tui.schema.container import PathStat

__all__ = [
    "Archives",
    "Builder",
    "Client",
    "Containers",
    "Events",
    "ExitWait",
    "History",
    "Images",
    "Networks",
    "Readable",
    "Registry",
    "Secrets",
    "System",
    "Volumes",
]


class Readable(Protocol):
    """What has files that can be read: the containers, the images, or the volumes, of an engine."""

    async def archive_stat(self, ref: str, path: str, /) -> PathStat: ...
    async def archive_get(self, ref: str, path: str, /) -> tuple[PathStat, AsyncIterator[bytes]]: ...


class Archives(Readable, Protocol):
    """The objects of an engine whose files ``cp`` copies: its containers, or its volumes."""

    async def inspect(self, ref: str, /) -> object: ...
    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        /,
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None: ...


class Client(Protocol):
    """An engine to talk to. Use as ``async with connect(host) as client``."""

    @property
    def containers(self) -> Containers: ...
    @property
    def images(self) -> Images: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def volumes(self) -> Volumes: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def builder(self) -> Builder: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def history(self) -> History: ...
    @property
    def events(self) -> Events: ...
    @property
    def system(self) -> System: ...
    async def close(self) -> None: ...
    async def __aenter__(self) -> Client: ...
    async def __aexit__(self, *exc: object) -> None: ...
