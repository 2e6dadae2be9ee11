"""The engine itself, and its events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from moby_tui.api.operations.fields import extra, field, filters
from moby_tui.api.operations.operation import get, post
from moby_tui.schema.base import Filters
from moby_tui.schema.event import Event
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.system import Check, DiskUsage, Info, Login, PruneOptions, PruneReport, Version

_EVENT_FILTERS = filters(
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
    # as with the Docker Engine, whose clients send filters of theirs
    others=True,
)


class Events(Protocol):
    @get("/events", _EVENT_FILTERS, lasting=True, lines="application/jsonl")
    def stream(
        self, *, since: float | None = None, until: float | None = None, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        """Past events from ``since`` (Unix seconds), then live ones until ``until`` (None: for ever); no gap, no repeat. Without
        ``since``: all past ones if there is an ``until``, else none."""
        ...


class System(Protocol):
    @get("/_ping", media="text/plain", status=200)
    async def ping(self) -> None:
        """Answers if the engine is there; the headers tell what it speaks."""
        ...

    @get("/version")
    async def version(self) -> Version:
        """The versions of the engine and of its parts."""
        ...

    @get("/info")
    async def info(self) -> Info:
        """What the engine has, how it is configured and what it runs on."""
        ...

    @post("/auth", field("auth", place="body"), errors=(401,))
    async def login(self, auth: RegistryAuth) -> Login:
        """Asks a registry whether it takes a login; nothing is kept."""
        ...

    @get("/system/df", extra("type", "texts", since="1.42"), extra("verbose", "flag", default=False))
    async def disk_usage(self) -> DiskUsage:
        """How much disk images, containers, volumes and build cache use."""
        ...

    @get("/moby/system/doctor", needs="system doctor")
    async def examine(self) -> list[Check]:
        """What of the kernel, control groups, capabilities, firewall and file system is there, and what is missing. Nothing is changed."""
        ...

    @post("/moby/prunable", abandoned=True, needs="a dry run of prune")
    async def prunable(self, options: PruneOptions) -> PruneReport:
        """What the prunes of these kinds would take away, one after the other, and how many bytes come back. Nothing is changed."""
        ...
