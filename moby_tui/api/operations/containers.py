"""Containers: made, changed and removed; what runs in them and what it says; their files."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, overload

from moby_tui.api.operations.fields import extra, field, filters, option
from moby_tui.api.operations.operation import TAR, delete, get, head, post, put
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
    LogOptions,
    PathChange,
    PathStat,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.exec import ExecCreate, ExecCreated, ExecInspect, ExecStart
from moby_tui.schema.files import FolderEntry
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import Stream

#: Bytes as they come of a terminal; without one they are in frames (``MULTIPLEXED`` of ``schema/stream.py``).
_RAW = "application/vnd.docker.raw-stream"
#: The query of an attachment, here and over a WebSocket.
ATTACHING = (
    option("options.stream", "flag"),
    option("options.stdin", "flag"),
    option("options.stdout", "flag"),
    option("options.stderr", "flag"),
    option("options.logs", "flag"),
    option("options.detach_keys", "text", wire="detachKeys"),
)
_LOGS = (
    option("options.stdout", "flag"),
    option("options.stderr", "flag"),
    option("options.follow", "flag"),
    option("options.since", "timestamp"),
    option("options.until", "timestamp"),
    option("options.timestamps", "flag"),
    option("options.details", "flag"),
    option("options.tail", "tail"),
)
_FILTERS = filters(
    "ancestor",
    "annotation",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
)

_SIZE = (field("height", "h", "dimension"), field("width", "w", "dimension"))


class ExitWait(Protocol):
    """A wait that is already registered: no exit after its making is missed."""

    async def result(self) -> ContainerExit: ...
    async def close(self) -> None: ...


class Containers(Protocol):
    """``ref`` is a full id, a name, or a unique prefix of an id."""

    @get("/containers/json", _FILTERS, field("limit", kind="count"))
    async def list(
        self, *, all: bool = False, limit: int = 0, size: bool = False, filters: Filters | None = None
    ) -> list[ContainerSummary]:
        """Lists the running containers, or all of them."""
        ...

    @post("/containers/create", field("platform", since="1.41"), status=201, errors=(404, 409))
    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        """Makes a container of an image that is here; it does not run yet."""
        ...

    @overload
    async def run(
        self,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[False] = False,
    ) -> bytes:
        """Creates, starts and awaits: what the command wrote to its standard output, or the id with ``detach``.

        See ``moby_tui.running``, which is every client's. Raises ``ContainerFailed`` if the command does not end with 0.
        """
        ...

    @overload
    async def run(
        self,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[True],
    ) -> str: ...

    @post("/containers/prune", filters("label", "label!", "until"), since="1.25")
    async def prune(self, *, filters: Filters | None = None) -> ContainersPruned:
        """Removes the containers that do not run."""
        ...

    @get("/containers/{ref}/json", errors=(404,))
    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        """Tells of a container; with ``size`` also how much disk its files use."""
        ...

    @post("/containers/{ref}/start", errors=(304, 404, 409))
    async def start(self, ref: str) -> None:
        """Starts a container."""
        ...

    @post("/containers/{ref}/stop", field("timeout", "t"), field("signal", since="1.42"), errors=(304, 404))
    async def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Sends the signal to stop, and kills what has not ended after ``timeout`` seconds; -1 is for ever."""
        ...

    @post("/containers/{ref}/restart", field("timeout", "t"), field("signal", since="1.42"), errors=(404,))
    async def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stops a container and starts it."""
        ...

    @post("/containers/{ref}/kill", errors=(404, 409))
    async def kill(self, ref: str, *, signal: str = "KILL") -> None:
        """Sends a signal to a container's first process."""
        ...

    @post("/containers/{ref}/pause", errors=(404, 409))
    async def pause(self, ref: str) -> None:
        """Freezes the processes of a container."""
        ...

    @post("/containers/{ref}/unpause", errors=(404, 409))
    async def unpause(self, ref: str) -> None:
        """Lets the processes of a paused container go on."""
        ...

    @post("/containers/{ref}/rename", errors=(404, 409))
    async def rename(self, ref: str, name: str) -> None:
        """Gives a container another name."""
        ...

    @post("/containers/{ref}/update", errors=(404,))
    async def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        """Changes limits and restart policy. What is zero, empty or None in ``changes`` stays as it is."""
        ...

    @post("/moby/containers/{ref}/ports", errors=(404, 409), needs="changing published ports")
    async def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        """Publishes and withdraws ports, at once if the container runs."""
        ...

    @delete("/containers/{ref:.+}", field("volumes", "v"), extra("link", "flag", default=False), errors=(404, 409))
    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """Removes a container; with ``force`` also one that runs, with ``volumes`` also its anonymous volumes."""
        ...

    async def remove_link(self, name: str) -> None:
        """Undoes a link of the default bridge, by the name that it gives: ``LINKING/ALIAS``."""
        ...

    @post("/containers/{ref}/wait", field("condition", since="1.30"), errors=(404,), lasting=True, answer=ContainerExit)
    async def wait(self, ref: str, *, condition: str = "not-running") -> ExitWait:
        """Waits for an exit: ``not-running``, ``next-exit`` or ``removed``. The headers come when the wait is registered."""
        ...

    @post("/containers/{ref}/attach", *ATTACHING, errors=(404, 409), status=101, abandoned=True, media=_RAW)
    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        """Joins input and output of a container's first process; before its start, from the first byte on."""
        ...

    @get("/containers/{ref}/logs", *_LOGS, errors=(404,), lasting=True, media=_RAW)
    def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        """What a container has written: ``(STDOUT or STDERR, one line with its newline)``."""
        ...

    @get(
        "/containers/{ref}/stats",
        field("one_shot", "one-shot", since="1.41"),
        errors=(404,),
        lasting=True,
        lines="application/json",
    )
    def stats(self, ref: str, *, stream: bool = True, one_shot: bool = False) -> AsyncIterator[Stats]:
        """How much a container uses, every second."""
        ...

    @get("/containers/{ref}/top", errors=(404, 409))
    async def top(self, ref: str, ps_args: str = "-ef") -> Top:
        """The processes of a container, as ``ps`` of the host tells of them."""
        ...

    @post("/containers/{ref}/resize", *_SIZE, status=200, errors=(404, 409))
    async def resize(self, ref: str, *, height: int, width: int) -> None:
        """Gives a container's terminal another size."""
        ...

    @get("/containers/{ref}/changes", errors=(404,))
    async def changes(self, ref: str) -> builtins.list[PathChange]:
        """What a container has changed in the files of its image."""
        ...

    @post("/containers/{ref}/exec", status=201, errors=(404, 409), answer=ExecCreated, gives="id")
    async def exec_create(self, ref: str, config: ExecCreate) -> str:
        """Makes a further process of a running container, and returns its id; it does not run yet."""
        ...

    @post("/exec/{exec_id}/start", status=101, errors=(404, 409), abandoned=True, media=_RAW)
    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        """Starts such a process, and joins its input and output; None when ``options.detach``."""
        ...

    @get("/exec/{exec_id}/json", errors=(404,))
    async def exec_inspect(self, exec_id: str) -> ExecInspect:
        """Tells of such a process."""
        ...

    @post("/exec/{exec_id}/resize", *_SIZE, status=200, errors=(404, 409))
    async def exec_resize(self, exec_id: str, *, height: int, width: int) -> None:
        """Gives such a process's terminal another size."""
        ...

    @get("/moby/containers/{ref}/files", field("path", kind="path"), errors=(404, 409), needs="listing a container's files")
    def files(self, ref: str, path: str = "/") -> AsyncIterator[FolderEntry]:
        """What is in a folder of a container, by name; of one that runs as it sees it."""
        ...

    @head("/containers/{ref}/archive", field("path", kind="path"), errors=(404,), answer=PathStat)
    async def archive_stat(self, ref: str, path: str) -> PathStat:
        """Tells of a path in a container, in the header X-Docker-Container-Path-Stat."""
        ...

    @get("/containers/{ref}/archive", field("path", kind="path"), errors=(404,), media=TAR)
    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """An uncompressed tar of a path in a container; its first entry is the path's base name."""
        ...

    @put(
        "/containers/{ref}/archive",
        field("path", kind="path"),
        field("no_overwrite_dir_non_dir", "noOverwriteDirNonDir"),
        field("copy_uid_gid", "copyUIDGID"),
        status=200,
        errors=(403, 404),
    )
    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        """Unpacks a tar, plain or compressed, into a directory of a container."""
        ...

    @post(
        "/commit",
        field("ref", "container"),
        field("reference", "repo", "reference"),
        field("message", "comment"),
        status=201,
        errors=(404,),
        answer=Committed,
        gives="id",
    )
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
        """Makes an image of a container's files and configuration, and returns its id.

        ``changes`` are Dockerfile instructions; what ``config`` has wins over the container's own. The container is paused meanwhile.
        """
        ...

    @get("/containers/{ref}/export", errors=(404,), media="application/octet-stream")
    def export(self, ref: str) -> AsyncIterator[bytes]:
        """A tar of a container's files, without those of its volumes."""
        ...
