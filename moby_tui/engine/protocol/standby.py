"""What the process made ahead and its monitor tell each other on their channel, and the stand-by process its launcher.

On the channel each message is preceded by its length in four bytes, and the first of these has the message's descriptors beside it. Before
``Preparation`` comes one byte alone, and beside it the file that holds the configuration.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message

#: The descriptor beside ``Ready``: the devpts file system of its mount namespace.
DEVPTS = "devpts"
#: Those beside ``Preparation``: the root mount, the network namespace, the terminal, or standard input, output and error in this order,
#: and the trees of the bind mounts in the order of the configuration.
ROOT, NETWORK, TERMINAL, STREAM, BIND = "root", "network", "terminal", "stream", "bind"
#: In bytes. A seccomp filter has far less.
MOST = 64 << 20
LENGTH = 4


class Ready(Message):
    """From the process made ahead: its stage stands."""

    descriptors: list[str]


class BindKind(Message):
    """Whether the tree is a directory, and whether its destination may lie in /proc (``plan/filesystem/guard.py``)."""

    directory: bool
    over_proc: bool


class Preparation(Message):
    """From the monitor: the container that the process made ahead becomes the first process of, beside its configuration. Behind the
    message comes the seccomp filter, ``seccomp`` bytes of it."""

    descriptors: list[str]
    binds: list[BindKind] = []
    seccomp: int = 0

    def check(self, where: str) -> None:
        if not 0 <= self.seccomp <= MOST:
            raise MalformedMessage(f"{where}: seccomp: expected a number of bytes")
        if self.descriptors.count(BIND) != len(self.binds):
            raise MalformedMessage(f"{where}: expected a descriptor for each of {len(self.binds)} binds")


class Relieved(Message):
    """From the stand-by process to its launcher, which may make another one: it has taken an order; or there is no engine any more."""

    order: bool


def frame(message: Message) -> bytes:
    """The message as it goes over the channel."""
    body = message.encode()
    return len(body).to_bytes(LENGTH, "little") + body


def read_length(data: bytes) -> int:
    """How many bytes the message behind this header has. Raises ``MalformedMessage``."""
    size = int.from_bytes(data, "little")
    if len(data) != LENGTH or size > MOST:
        raise MalformedMessage(f"message to the process made ahead: expected its length in {LENGTH} bytes")
    return size
