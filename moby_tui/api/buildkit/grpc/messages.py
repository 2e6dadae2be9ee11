"""The messages in the data of a call: each after a byte that says whether it is compressed, and four of its length."""

from __future__ import annotations

from grpclib.const import Status
from grpclib.exceptions import GRPCError

#: Bytes of one message. BuildKit has the same bound (containerd's ``DefaultMaxRecvMsgSize``).
MOST_BYTES = 16 << 20
_PREFIX = 5


class Messages:
    """Takes the data of a call as it arrives, in any pieces."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises ``GRPCError`` for a compressed one, and for one beyond the bound before it is kept."""
        self._begun += data
        messages, at, have = [], 0, len(self._begun)
        while have - at >= _PREFIX:
            check_prefix(self._begun[at : at + 1], size := int.from_bytes(self._begun[at + 1 : at + _PREFIX], "big"))
            if have - at < _PREFIX + size:
                break
            at += _PREFIX + size
            messages.append(bytes(self._begun[at - size : at]))
        del self._begun[:at]
        return messages


def framed(message: bytes) -> bytes:
    """A message as it is sent."""
    return b"\0" + len(message).to_bytes(_PREFIX - 1, "big") + message


def check_prefix(compressed: bytes | bytearray, size: int) -> None:
    if size > MOST_BYTES:
        raise GRPCError(Status.RESOURCE_EXHAUSTED, f"a message of {size} bytes is larger than {MOST_BYTES}")
    if compressed not in (b"", b"\0"):
        raise GRPCError(Status.UNIMPLEMENTED, "a message is compressed, and that was not agreed upon")
