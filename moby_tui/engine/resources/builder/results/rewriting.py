"""Plain tars with other headers: names below a folder, times that are not later than one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator

_PIECE = 1 << 18


def below(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """All members of a tar in a folder, which comes first; the end of the archive is left out."""
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    yield _header(folder)

    def change(member: tarfile.TarInfo) -> None:
        member.name = f"{name}/{member.name}"
        member.pax_headers = {key: value for key, value in member.pax_headers.items() if key not in ("path", "linkpath")}
        if member.islnk():
            member.linkname = f"{name}/{member.linkname}"

    yield from _members(pieces, change)


def not_later(latest: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A whole tar with no modification time later than ``latest`` (Unix seconds)."""

    def change(member: tarfile.TarInfo) -> None:
        if member.mtime > latest:
            member.mtime = latest
            member.pax_headers = {key: value for key, value in member.pax_headers.items() if key != "mtime"}

    yield from _members(pieces, change)
    yield END


def at(moment: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A whole tar with one modification time for all members."""

    def change(member: tarfile.TarInfo) -> None:
        member.mtime = moment
        member.pax_headers = {key: value for key, value in member.pax_headers.items() if key != "mtime"}

    yield from _members(pieces, change)
    yield END


#: The end of an archive: two zero blocks.
END = bytes(2 * tarfile.BLOCKSIZE)


def _members(pieces: Iterator[bytes], change: Callable[[tarfile.TarInfo], None]) -> Iterator[bytes]:
    with tarfile.open(
        fileobj=io.BufferedReader(_Reader(pieces), _PIECE), mode="r|", encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for member in archive:
            change(member)
            yield _header(member)
            if member.isreg() and (source := archive.extractfile(member)) is not None:
                while piece := source.read(_PIECE):
                    yield piece
                yield bytes(-member.size % tarfile.BLOCKSIZE)


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


class _Reader(io.RawIOBase):
    """A file of the pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
