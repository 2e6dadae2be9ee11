"""Makes one DATA frame of several (RFC 9113, 6.1): a client puts each message into a frame of its own, and h2 takes long over a frame."""

from __future__ import annotations

from struct import Struct

from h2.settings import Settings

#: The head of a frame: its length (in 24 bits), kind and flags, the call that it belongs to.
_HEAD = Struct(">HBHL")
_SIZE, _DATA = 9, 0
#: The longest frame that a peer may send us, as nothing else is agreed upon (RFC 9113, 6.5.2).
LONGEST = Settings(client=True).max_frame_size


class Frames:
    """What a peer sends, in the pieces in which it arrives. ``preface`` bytes come before the first frame."""

    def __init__(self, preface: int) -> None:
        self._preface = preface
        self._begun = b""
        #: a frame was too long: h2 is to see what comes as it is, and ends the connection
        self._broken = False

    def take(self, data: bytes) -> bytes:
        """The frames that are whole now. Frames of data that follow each other, of one call, without padding and not its last, are one."""
        before, data = data[: self._preface], data[self._preface :]
        self._preface -= len(before)
        if self._broken:
            return data
        data = self._begun + data
        done = [before]
        at, last = 0, len(data) - _SIZE
        # what follows is done for each file of a context, so that nothing is called that need not be
        pieces: list[bytes] = []
        size, call = 0, -1
        while at <= last:
            high, low, kind, of = _HEAD.unpack_from(data, at)
            length = high << 8 | low
            if length > LONGEST:
                self._broken = True
                break
            end = at + _SIZE + length
            if end > len(data):
                break
            if kind != _DATA or of != call or size + length > LONGEST:
                done += _joined(pieces, size, call)
                pieces, size, call = [], 0, of if kind == _DATA else -1
            if kind == _DATA:
                pieces.append(data[at + _SIZE : end])
                size += length
            else:
                done.append(data[at:end])
            at = end
        done += _joined(pieces, size, call)
        if self._broken:
            done.append(data[at:])
        else:
            self._begun = data[at:]
        return b"".join(done)


def _joined(pieces: list[bytes], size: int, call: int) -> list[bytes]:
    """The frame that has all these pieces of data; nothing for none."""
    return [_HEAD.pack(size >> 8, size & 0xFF, _DATA, call), *pieces] if pieces else []
