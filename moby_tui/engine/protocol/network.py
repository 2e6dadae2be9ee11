"""How a container's network is undone by whoever comes to it: its monitor at the end, or any engine where the monitor was killed.

The engine that wires a network writes the steps down before it does anything that they undo, in the sandbox record and in the order.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message


class TeardownStep(Message):
    """One step, which does one of four things.

    Messages for the netlink family ``netlink``, ``data`` in hexadecimal; the file ``unlink`` is removed; the folder ``rmdir`` is removed
    if it is empty; or the descriptor that stands at the position ``close`` among those of the same holding is closed.
    """

    netlink: int | None = None
    data: str | None = None
    unlink: str | None = None
    rmdir: str | None = None
    close: int | None = None

    def check(self, where: str) -> None:
        deeds = [self.netlink, self.unlink, self.rmdir, self.close]
        if deeds.count(None) != len(deeds) - 1 or (self.netlink is None) != (self.data is None):
            raise MalformedMessage(f"{where}: expected one of netlink with data, unlink, rmdir and close")
        if self.close is not None and self.close < 0:
            raise MalformedMessage(f"{where}: close: expected a position")
        if not _is_hexadecimal(self.data or ""):
            raise MalformedMessage(f"{where}: data is not hexadecimal")


class Forward(Message):
    """What the monitor does with what reaches a socket of a published port: connections (``tcp``) or datagrams (``udp``) go to a port of
    the container. ``position`` is the socket's among the descriptors of its holding."""

    position: int
    protocol: str
    address: str
    port: int

    def check(self, where: str) -> None:
        if self.position < 1 or self.protocol not in ("tcp", "udp") or not 0 < self.port < 65536:
            raise MalformedMessage(f"{where}: expected a position, tcp or udp, and a port")


class Holding(Message):
    """One thing that was made of a container's network: a place in a network, or its published ports."""

    name: str
    teardown: list[TeardownStep]
    forwards: list[Forward] = []


class ZoneEntry(Message):
    """What a container is called on one network, written by an engine for the name server. ``names`` are lower case; the first is its own.

    ``links``: what it calls others there, from each alias to a name on the network, in lower case; an engine from before links wrote none.
    """

    network: str
    names: list[str]
    addresses: list[str]
    links: dict[str, str] = {}


class NameRegistration(Message):
    """What a monitor tells the name server of its container, whose two sockets go along; the fields are as in ``NameService``."""

    container: str
    servers: list[str] = []
    forwards: bool = False


class NameService(Message):
    """How a monitor has its container's questions for names answered.

    ``servers`` are asked what the name server does not know, if ``forwards``; ``folder`` holds the zones, and ``program`` starts the server.
    """

    container: str
    servers: list[str] = []
    forwards: bool = False
    folder: str
    program: list[str]

    def check(self, where: str) -> None:
        if not self.program:
            raise MalformedMessage(f"{where}: program is empty")


class HostPort(Message):
    """A port of the host that is published, at all of its ``hosts``, which are addresses. ``name`` is the container's port (``80/tcp``)."""

    protocol: str
    port: int
    hosts: list[str]
    name: str = ""


class SandboxRecord(Message):
    """What is written to disk of one container's network: how to undo it, and of a published ``port`` by IP version, ``4`` or ``6``, the
    messages (hexadecimal) that publish it again."""

    teardown: list[TeardownStep]
    published: dict[str, str] = {}
    port: HostPort | None = None

    def check(self, where: str) -> None:
        for version, messages in self.published.items():
            if version not in ("4", "6") or not _is_hexadecimal(messages):
                raise MalformedMessage(f"{where}: published: expected hexadecimal by the versions 4 and 6")


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
