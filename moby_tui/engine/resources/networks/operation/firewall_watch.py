"""Watching the nftables tables: an engine that stays open puts right at once what another program changes in ours.

The kernel tells a netlink socket of every transaction (netlink(7), NFNLGRP_NFTABLES). Those of other engines and of monitors are told too;
what a look costs then is in ``mending``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from moby_tui.engine.kernel.network.generation import CHANGES
from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, subscribe
from moby_tui.engine.resources.networks import seen
from moby_tui.engine.tasks import in_thread

log = logging.getLogger(__name__)

#: Changes come in bursts, and are looked at together.
_GATHER_SECONDS = 0.2
_RECEIVE = 1 << 16


class Mender(Protocol):
    """The network manager."""

    def mend(self) -> None:
        """Puts the tables right. Blocks, and raises nothing."""


class FirewallWatch:
    """``begin`` it where an event loop runs, and ``close`` it there. ``networks`` is the folder of the engine's records; ``manager`` is
    asked for if there is something to look at."""

    def __init__(self, networks: Path, manager: Callable[[], Mender]) -> None:
        self._networks = networks
        self._manager = manager
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        if seen.is_due(self._networks):
            await in_thread(self._manager().mend)

    async def _run(self) -> None:
        try:
            link = subscribe(NETLINK_NETFILTER, CHANGES)
        except OSError as error:
            log.warning("changes of the nftables tables will be noticed late: %s", (error.strerror or "").lower())
            return
        loop = asyncio.get_running_loop()
        with link:
            loop.add_reader(link.fileno(), self._read, link)
            try:
                while True:
                    # first for what happened before there was a socket
                    await self._look()
                    await self._changed.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
                    self._changed.clear()
            finally:
                loop.remove_reader(link.fileno())

    def _read(self, link: socket.socket) -> None:
        self._changed.set()
        try:
            while link.recv(_RECEIVE, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass
        except OSError as error:  # ENOBUFS: more than the socket holds, which is a change too
            log.debug("events of nftables were lost: %s", error)
