"""What a tar that an engine sends holds: its members, or the content of a single file. Read as it comes, kept nowhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from moby_tui.engine.archive import tar
from moby_tui.engine.archive.incoming import consume
from moby_tui.errors import InvalidArgument

_KINDS = {
    tar.DIRECTORY: "directory",
    tar.SYMBOLIC_LINK: "link",
    tar.FIFO: "fifo",
    tar.CHARACTER: "character",
    tar.BLOCK_DEVICE: "block",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. ``path`` is from the archive's root, without a slash at either end; ``modified`` Unix seconds."""

    path: str
    kind: str
    size: int
    mode: int
    uid: int
    gid: int
    modified: float
    target: str


async def read_file(chunks: AsyncIterator[bytes], take: Callable[[bytes], bool]) -> Member:
    """Hands the content of the archive's first file to ``take``, in a thread, until that returns false. Returns what the file is.

    Raises ``InvalidArgument`` for an archive that is damaged, or whose first member is no file.
    """

    def work(pieces: Iterator[bytes]) -> Member:
        reader = tar.Reader(pieces)
        for entry in reader:
            if entry.type != tar.REGULAR:
                raise InvalidArgument(f"{os.fsdecode(entry.name)[:200]} is no file that can be read")
            for part in reader.data():
                if not take(bytes(part)):
                    break
            return _member(entry)
        raise InvalidArgument("the engine has sent an empty archive; try again")

    return await consume(chunks, work)


async def members(chunks: AsyncIterator[bytes], most: int, most_bytes: int) -> tuple[list[Member], bool]:
    """The members of an archive, at most so many, of at most so many bytes; and whether these are all. Raises ``InvalidArgument``."""

    def work(pieces: Iterator[bytes]) -> tuple[list[Member], bool]:
        listed: list[Member] = []
        read = 0
        for entry in tar.Reader(pieces):
            listed.append(_member(entry))
            read += entry.size
            if len(listed) >= most or read >= most_bytes:
                return listed, False
        return listed, True

    return await consume(chunks, work)


def _member(entry: tar.Entry) -> Member:
    link = entry.type == tar.SYMBOLIC_LINK
    return Member(
        path=os.fsdecode(entry.name).strip("/"),
        kind=_KINDS.get(entry.type, "file"),
        size=entry.real_size,
        mode=entry.mode & 0o7777,
        uid=entry.uid,
        gid=entry.gid,
        modified=entry.mtime_ns / 1e9,
        target=os.fsdecode(entry.link) if link else "",
    )
