"""How a container's network is undone by whoever comes to it: its monitor at the end, or any engine where the monitor was killed.

The engine that wires a network writes the steps down before it does anything that they undo, in the sandbox record and in the order.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message


class TeardownStep(Message):
    """One step, which does one of three things.

    Messages for the netlink family ``netlink``, ``data`` in hexadecimal; the file ``unlink`` is removed; or the descriptor that stands
    at the position ``close`` among those that the container keeps is closed.
    """

    netlink: int | None = None
    data: str | None = None
    unlink: str | None = None
    close: int | None = None

    def check(self, where: str) -> None:
        if [self.netlink, self.unlink, self.close].count(None) != 2 or (self.netlink is None) != (self.data is None):
            raise MalformedMessage(f"{where}: expected one of netlink with data, unlink and close")
        try:
            bytes.fromhex(self.data or "")
        except ValueError:
            raise MalformedMessage(f"{where}: data is not hexadecimal") from None


class SandboxRecord(Message):
    """What is written to disk of one container's network: how to undo it, and the messages (hexadecimal) that publish its ports again."""

    teardown: list[TeardownStep] = []
    published: str = ""
