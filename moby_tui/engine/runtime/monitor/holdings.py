"""The holdings of a container in its monitor: places in networks and published ports, each with its teardown (light imports).

The engine that makes a holding passes the locked descriptor of its record, and its sockets. From then on the monitor undoes it:
at the request of an engine, or at the container's end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.kernel.network import netlink
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.network import Forward, Holding, TeardownStep
from moby_tui.engine.protocol.order import HOLDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.forwarding import Forwarder

Teardown = list[TeardownStep]


class Holdings:
    """``handed`` are those that were made for the start, with their ``descriptors``, which are taken out."""

    def __init__(self, loop: Loop, handed: Iterable[Holding], descriptors: Descriptors) -> None:
        self._loop = loop
        self._held: dict[str, tuple[Teardown, list[int]]] = {}
        self._forwarders: dict[str, Forwarder] = {}
        for holding in handed:
            self.add(holding.name, holding.teardown, descriptors.take_all(HOLDING + holding.name), holding.forwards)

    def add(self, name: str, teardown: Teardown, descriptors: list[int], forwards: list[Forward]) -> None:
        """Takes one over. Raises ``ValueError`` if the name is held already."""
        if name in self._held:
            raise ValueError(f"holding {name} is there already")
        self._held[name] = teardown, descriptors
        if forwards:
            # only published ports have any; the launcher has imported it for all monitors
            from moby_tui.engine.runtime.monitor.forwarding import Forwarder

            self._forwarders[name] = Forwarder(self._loop, forwards, descriptors)

    @property
    def names(self) -> list[str]:
        return [*self._held]

    @property
    def has_sockets(self) -> bool:
        """True if a port of the host is published."""
        return any(len(descriptors) > 1 for _, descriptors in self._held.values())

    def release(self, name: str) -> bool:
        """Undoes one holding; False if there is none of this name. Raises ``OSError`` if a step failed."""
        held = self._held.pop(name, None)
        if held is not None:
            self._stop_forwarding(name)
            _undo(*held)
        return held is not None

    def release_all(self) -> None:
        """Undoes all of them, the last made first. Raises the first ``OSError`` once each has been tried."""
        failure: OSError | None = None
        is_done = self._change_firewall_at_once()
        while self._held:
            name, (teardown, descriptors) = self._held.popitem()
            self._stop_forwarding(name)
            if is_done:
                teardown = [step for step in teardown if step.netlink != netlink.NETLINK_NETFILTER]
            try:
                _undo(teardown, descriptors)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _change_firewall_at_once(self) -> bool:
        """True if one transaction has undone all that stands in the firewall: the kernel lets every transaction wait some milliseconds."""
        steps = [step for teardown, _ in self._held.values() for step in teardown if step.netlink == netlink.NETLINK_NETFILTER]
        if len(steps) < 2:
            return False
        try:
            netlink.send(netlink.NETLINK_NETFILTER, netlink.join_batches(bytes.fromhex(step.data or "") for step in steps))
        except OSError:
            # nothing of it has been done: one of them may have been undone before, which is met when they are undone one by one
            return False
        return True

    def _stop_forwarding(self, name: str) -> None:
        """Before the sockets are closed: the ports are free when the holding is undone."""
        forwarder = self._forwarders.pop(name, None)
        if forwarder is not None:
            forwarder.close()


def _undo(teardown: Teardown, descriptors: list[int]) -> None:
    closed = {step.close for step in teardown}
    try:
        netlink.run_teardown(teardown, descriptors)
    finally:
        for position, fd in enumerate(descriptors):
            if position not in closed:
                os.close(fd)
