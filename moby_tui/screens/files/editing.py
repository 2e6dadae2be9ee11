"""A file that is edited here: fetched, and put back if it was changed, by nobody else meanwhile."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
import tempfile
from collections.abc import AsyncIterator

from moby_tui.copying.reading import Member, read_file
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import PathStat
from moby_tui.screens.files.source import Place

#: Larger files are not for an editor.
MOST = 32 << 20


async def resolved(place: Place, path: str) -> tuple[str, PathStat]:
    """Where a path leads, if it is a link, and what is there. Raises ``NotFound``."""
    stat = await place.archive_stat(place.ref, path)
    if not stat.link_target:
        return path, stat
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), stat.link_target))
    return target, await place.archive_stat(place.ref, target)


class Draft:
    """A copy of a file in a folder of its own, which only the caller can read. ``fetch`` makes one; ``close`` removes it."""

    def __init__(self, place: Place, path: str, folder: str, stat: PathStat, member: Member) -> None:
        self._place, self._path, self._folder, self._stat, self._member = place, path, folder, stat, member
        self.local = os.path.join(folder, _local_name(path))
        self._before = b""

    @classmethod
    async def fetch(cls, place: Place, path: str) -> Draft:
        """Fetches a file. Raises ``InvalidArgument`` for one that is too large or no text, and ``MobyError``."""
        path, stat = await resolved(place, path)
        if stat.size > MOST:
            raise InvalidArgument(f"{path} is too large to be edited here; copy it out (o) and back in (i)")
        data = bytearray()

        def take(part: bytes) -> bool:
            data.extend(part)
            return len(data) <= MOST

        _, chunks = await place.archive_get(place.ref, path)
        member = await read_file(chunks, take)
        if b"\0" in data:
            raise InvalidArgument(f"{path} is no text; copy it out (o) and back in (i)")
        draft = cls(place, path, tempfile.mkdtemp(prefix="moby-edit-"), stat, member)
        draft._before = bytes(data)
        with open(draft.local, "wb") as file:
            file.write(data)
        return draft

    @property
    def changed(self) -> bool:
        """True if the editor has changed the content."""
        return self._after() != self._before

    async def overtaken(self) -> bool:
        """True if the file was changed where it is since it was fetched."""
        now = await self._place.archive_stat(self._place.ref, self._path)
        return (now.size, now.mtime) != (self._stat.size, self._stat.mtime)

    async def put_back(self) -> None:
        """Writes the file with its mode and owner as they were. Raises ``MobyError``."""
        await self._place.archive_put(self._place.ref, posixpath.dirname(self._path), _once(self._archive()))

    def _archive(self) -> bytes:
        data = self._after()
        member = tarfile.TarInfo(posixpath.basename(self._path))
        member.size, member.mode = len(data), self._member.mode
        member.uid, member.gid = self._member.uid, self._member.gid
        member.mtime = os.stat(self.local).st_mtime
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(member, io.BytesIO(data))
        return buffer.getvalue()

    def _after(self) -> bytes:
        with open(self.local, "rb") as file:
            return file.read()

    def close(self) -> None:
        """Removes the copy, and what the editor has left beside it."""
        for name in os.listdir(self._folder):
            os.unlink(os.path.join(self._folder, name))
        os.rmdir(self._folder)


def _local_name(path: str) -> str:
    """The file's own name, whose ending tells the editor what it is; without what has a meaning to a program."""
    name = posixpath.basename(path)
    return name if name.isprintable() and not name.startswith(("-", "+")) and name not in (".", "..") else "file"


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
