"""The keys that detach a client from a container: how they are written, and where they are in what somebody types (light imports)."""

from __future__ import annotations

DEFAULT = "ctrl-p,ctrl-q"
_OTHERS = "@[\\]^_"


def parse(text: str) -> bytes:
    """The bytes of ``a,ctrl-x``: characters, and ``ctrl-`` with a letter or one of ``@[\\]^_``. Raises ``ValueError``, for people."""
    keys = bytearray()
    for key in text.split(","):
        prefix, held = key[:-1].lower(), key[-1:]
        if len(key) == 1 and key.isascii():
            keys.append(ord(key))
        elif prefix == "ctrl-" and held.isascii() and (held.isalpha() or held in _OTHERS):
            keys.append(ord(held.upper()) & 0x1F)
        else:
            raise ValueError(f"Invalid detach keys ({text[:80]}) provided: use characters, or ctrl- and one of a-z @ [ \\ ] ^ _")
    return bytes(keys)


class DetachKeys:
    """Looks for the keys in input that comes in pieces. A beginning of them at the end of a piece is held back until the next decides.

    ``typed`` is True once they have come; what follows them is dropped.
    """

    def __init__(self, keys: bytes) -> None:
        """``keys`` is not empty."""
        self.typed = False
        self._keys = keys
        self._held = b""

    def read(self, data: bytes) -> bytes:
        """Returns what is to be passed on."""
        pending = self._held + data
        before, sequence, _ = pending.partition(self._keys)
        if sequence:
            self.typed = True
            return before
        beginnings = (self._keys[:length] for length in range(len(self._keys) - 1, -1, -1))
        self._held = next(beginning for beginning in beginnings if pending.endswith(beginning))
        return pending[: len(pending) - len(self._held)]
