"""The entries that a client sent the last time, to tell whether it sends the same again: then nobody looks at the disk."""

from __future__ import annotations

from moby_tui.api.buildkit.grpc.messages import framed

#: Bytes of the largest inventory that is kept: that of some 300,000 files.
_MOST_BYTES = 16 << 20


class Inventory:
    """The packets of all entries, and that of their end, as they come: as data of a call, which is compared in one piece.

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

    def match(self, data: bytes) -> bool:
        """True if this data, which need not end with a packet, came at this place the last time."""
        self._matching = self._matching and self._before.startswith(data, self._position)
        if not self._matching:
            return False
        self._position += len(data)
        if self._position == len(self._before):
            self.same, self._matching, self._position = True, False, 0
        return True

    def matched(self) -> bytes:
        """The data of the last time that has come again, if other data follows it; only once."""
        end, self._position = self._position, 0
        return self._before[:end]

    def add(self, packet: bytes) -> None:
        if self._written is not None:
            self._written += framed(packet)
            if len(self._written) > _MOST_BYTES:
                self._written = None

    def written(self) -> bytes:
        """Of the entries that have come, for the next time; empty if they are too many."""
        return self._before if self.same else bytes(self._written or b"")
