"""Makes one DATA frame of several (RFC 9113, 6.1): a client puts each message into a frame of its own, and h2 takes long over a frame."""

from __future__ import annotations

from h2.settings import Settings

_HEAD, _DATA = 9, 0
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
        merged, at = _Merged(), 0
        while len(data) - at >= _HEAD:
            length = int.from_bytes(data[at : at + 3], "big")
            if length > LONGEST:
                self._broken = True
                break
            end = at + _HEAD + length
            if end > len(data):
                break
            merged.add(data[at:end])
            at = end
        if self._broken:
            return before + merged.all() + data[at:]
        self._begun = data[at:]
        return before + merged.all()


class _Merged:
    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._call = b""
        self._data: list[bytes] = []
        self._length = 0

    def add(self, frame: bytes) -> None:
        if frame[3] != _DATA or frame[4]:
            self._finish()
            self._done.append(frame)
            return
        call, length = frame[5:_HEAD], len(frame) - _HEAD
        if call != self._call or self._length + length > LONGEST:
            self._finish()
            self._call = call
        self._data.append(frame[_HEAD:])
        self._length += length

    def _finish(self) -> None:
        if self._data:
            self._done += (self._length.to_bytes(3, "big"), b"\0\0", self._call, *self._data)
        self._call, self._data, self._length = b"", [], 0

    def all(self) -> bytes:
        self._finish()
        return b"".join(self._done)
