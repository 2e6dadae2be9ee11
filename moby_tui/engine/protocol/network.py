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
        try:
            bytes.fromhex(self.data or "")
        except ValueError:
            raise MalformedMessage(f"{where}: data is not hexadecimal") from None


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
