"""What an unpacker is asked, and what the child that unpacks a layer answers at the end: one message each on a socket of SOCK_SEQPACKET."""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message

#: The longest message; what stands in one of an archive's names and the kernel's words is cut to ``MOST_TEXT`` characters.
MOST_BYTES = 1 << 16
MOST_TEXT = 4096


class UnpackRequest(Message):
    """Unpack a blob of ``size`` bytes into the folder ``layer``; ``diff_id`` is what its content must hash to, if it is not empty.

    The blob, the lock on the staging folder and the job's own socket go along."""

    diff_id: str
    layer: str
    size: int

    def check(self, where: str) -> None:
        if self.size < 0:
            raise MalformedMessage(f"{where}: size: expected a number of bytes")


class UnpackResult(Message):
    """How it went: the diff id of what was unpacked, or why it was not. ``error`` names a class of ``moby_tui.errors``, ``errno`` is the
    kernel's, 0 for none."""

    error: str | None = None
    errno: int | None = None
    text: str = ""
    diff_id: str = ""

    def check(self, where: str) -> None:
        if self.error is not None and self.errno is not None:
            raise MalformedMessage(f"{where}: expected one of error and errno")
