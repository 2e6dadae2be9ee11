"""The keys that leave a container running: ``ctrl-p,ctrl-q``, or what ``--detach-keys`` says."""

from __future__ import annotations

import json
import os

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = {chr(code + 0x60): code for code in range(1, 27)} | {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def configured_keys(option: str) -> str:
    """The option's keys, else the user's own (``detachKeys`` in Docker's ``config.json``), else Docker's default."""
    if option:
        return option
    folder = session.current().login_folder or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(f"{folder}/config.json", "rb") as file:
            keys = json.load(file).get("detachKeys", "")
    except (OSError, ValueError, AttributeError):
        return DEFAULT
    return keys if isinstance(keys, str) and keys else DEFAULT


def parse_keys(text: str) -> bytes:
    """The bytes of ``a,ctrl-x``: characters, and ``ctrl-`` with a letter or one of ``@[\\]^_``. Raises ``InvalidArgument``."""
    keys = bytearray()
    for key in text.split(","):
        name = key.lower().removeprefix("ctrl-")
        if key.lower().startswith("ctrl-") and name in _CONTROL:
            keys.append(_CONTROL[name])
        elif len(key) == 1 and key.isascii():
            keys.append(ord(key))
        else:
            raise InvalidArgument(f"invalid detach keys {text!r}: {key!r} is neither a character nor ctrl- and a letter")
    return bytes(keys)


class DetachFilter:
    """Watches input for the keys. A prefix of the keys is held back until the next byte decides."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """The input to pass on, and whether the keys were completed (what follows them is dropped)."""
        passed = bytearray()
        for byte in data:
            passed += self._advance(byte)
            if self._held == len(self._keys):
                return bytes(passed), True
        return bytes(passed), False

    def _advance(self, byte: int) -> bytes:
        """Takes one byte; returns what can no longer be part of the keys."""
        pending = self._keys[: self._held] + bytes([byte])
        for released in range(len(pending) + 1):
            if self._keys.startswith(pending[released:]):
                self._held = len(pending) - released
                return pending[:released]
        raise AssertionError("the empty suffix always matches")
