"""The entries that a client sent the last time, to tell whether it sends the same again: then nobody looks at the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: Bytes of the largest inventory that is kept: that of some 300,000 files.
_MOST_BYTES = 16 << 20
_LENGTH = 4


class Inventory:
    """The packets of all entries, encoded as they came, and that of their end; each after its length.

    ``match`` is asked of what comes. Where it says no for the first time, what had matched before is in ``matched``, and all entries are
    given to ``add``. ``same`` is True once all has come again.
    """

    def __init__(self, before: bytes = b"") -> None:
        """``before`` is what ``written`` returned the last time; empty for none."""
        self.same = False
        self._before = before
        self._position = 0
        self._matching = bool(before)
        self._written: bytearray | None = bytearray()

    def match(self, packets: Sequence[bytes]) -> bool:
        """True if these packets are the next ones of the last time."""
        came = _encoded(packets) if self._matching else b""
        self._matching = self._matching and self._before.startswith(came, self._position)
        if not self._matching:
            return False
        self._position += len(came)
        if self._position == len(self._before):
            self.same, self._matching, self._position = True, False, 0
        return True

    def matched(self) -> Iterator[bytes]:
        """The packets of the last time that have come again, if others follow them; only once."""
        at, end = 0, self._position
        self._position = 0
        while at < end:
            size = int.from_bytes(self._before[at : at + _LENGTH], "big")
            at += _LENGTH + size
            yield self._before[at - size : at]

    def add(self, packet: bytes) -> None:
        if self._written is not None:
            self._written += _encoded([packet])
            if len(self._written) > _MOST_BYTES:
                self._written = None

    def written(self) -> bytes:
        """Of the entries that have come, for the next time; empty if they are too many."""
        return self._before if self.same else bytes(self._written or b"")


def _encoded(packets: Sequence[bytes]) -> bytes:
    return b"".join(len(packet).to_bytes(_LENGTH, "big") + packet for packet in packets)
