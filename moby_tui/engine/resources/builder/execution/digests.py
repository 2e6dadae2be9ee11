"""Digests of what instructions copy from a folder, so that a folder in which nothing has changed is not read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.store.disk import refusals_told


class _Kept(msgspec.Struct, frozen=True):
    """``version`` is that of what a digest is made of: see ``selection.digest``."""

    digests: dict[str, str]
    version: int = 1


class Digests:
    """Of one folder, for as long as nothing in it changes."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = known or {}
        #: those of this build: only they are written
        self._used: dict[str, str] = {}

    def of(self, paths: Sequence[bytes], excluded: Sequence[str], compute: Callable[[], str]) -> str:
        """The digest of these paths without what the patterns exclude; ``compute``, which may block, makes one that is not known."""
        texts = (*paths, b"", *(pattern.encode("utf-8", "surrogateescape") for pattern in excluded))
        key = hashlib.sha256(b"\0".join(texts)).hexdigest()
        self._used[key] = self._used.get(key) or self._known.get(key) or compute()
        return self._used[key]

    def write(self, file: Path) -> None:
        """Blocking. Raises ``StorageFull``."""
        with refusals_told():
            file.write_bytes(msgspec.json.encode(_Kept(self._used)))


def take(file: Path) -> Digests:
    """What ``write`` wrote. The file is gone then: a build that is killed while the folder changes leaves none. Blocking."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        data = file.read_bytes()
        file.unlink()
        kept = msgspec.json.decode(data, type=_Kept)
        if kept.version == _Kept({}).version:
            return Digests(kept.digests)
    return Digests()
