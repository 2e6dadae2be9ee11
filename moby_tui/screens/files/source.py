"""Where files come from: a container, an image or a volume of the engine, and what can be done with them there."""

from __future__ import annotations

import posixpath
import shlex
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from moby_tui.copying.reading import Member, members
from moby_tui.errors import InvalidArgument, MobyError, NotFound, OtherEngine
from moby_tui.schema.container import PathStat
from moby_tui.screens.files.entry import ADDED, CHANGED, DELETED, Entry, deleted, of_listing, of_member
from moby_tui.screens.session.session import Session

#: As ``GET /containers/{id}/changes`` has them.
_MARKS = {0: CHANGED, 1: ADDED, 2: DELETED}
#: What is read of a container's archive where the engine cannot list a folder.
_MOST_MEMBERS, _MOST_BYTES = 200_000, 512 << 20


@dataclass(slots=True)
class Place:
    """A ``Source`` of the files at ``ref`` of a family of the engine. ``title`` is clean.

    ``note`` is what a person should know of what they see.
    """

    session: Session
    kind: str
    ref: str
    title: str
    layer: int | None = None
    note: str = ""
    _marks: dict[str, str] | None = field(default=None)
    #: Folders as an archive has them, of an engine that lists none.
    _indexed: dict[str, list[Member]] | None = field(default=None)
    #: A container that has the volume, for such an engine: its id, and where the volume is in it.
    _through: tuple[str, str] | None = field(default=None)

    @property
    def writable(self) -> bool:
        """True if files can be put there."""
        return self.kind != "image"

    @property
    def deletes(self) -> bool:
        """True if files can be deleted there."""
        return self.kind == "volume" and self._through is None

    def copy_line(self, path: str, local: str, *, out: bool) -> str:
        """The command line of a copy of a path here to or from a path of this machine; none for an image."""
        command = {"container": "moby cp", "volume": "moby volume cp"}.get(self.kind)
        if command is None:
            return ""
        there, here = shlex.quote(f"{self.title}:{path}"), shlex.quote(local)
        return f"{command} {there} {here}" if out else f"{command} {here} {there}"

    async def entries(self, folder: str) -> list[Entry]:
        """What is in a folder, and what a container has deleted of it. Raises ``MobyError``."""
        if self._marks is None:
            self._marks = await self._find_marks()
        if self._indexed is None and self._through is None:
            try:
                return self._marked(folder, await self._listed(folder))
            except OtherEngine as error:
                await self._find_another_way(error)
        return self._marked(folder, await self._from_archive(folder))

    async def _listed(self, folder: str) -> list[Entry]:
        client = self.session.client
        if self.kind == "container":
            entries = client.containers.files(self.ref, folder)
        elif self.kind == "image":
            entries = client.images.files(self.ref, folder, layer=self.layer)
        else:
            entries = client.volumes.files(self.ref, folder)
        return [of_listing(folder, entry) async for entry in entries]

    def _marked(self, folder: str, entries: list[Entry]) -> list[Entry]:
        if not self._marks:
            return entries
        marked = [_with_mark(entry, self._marks.get(entry.path, "")) for entry in entries]
        there = {entry.path for entry in entries}
        gone = [path for path, mark in self._marks.items() if mark == DELETED and posixpath.dirname(path) == folder]
        return marked + [deleted(path) for path in gone if path not in there]

    async def _find_marks(self) -> dict[str, str]:
        """What a container has changed of its image."""
        if self.kind != "container":
            return {}
        return {
            change.path: _MARKS.get(change.kind, CHANGED) for change in await self.session.client.containers.changes(self.ref)
        }

    # Engines that list no folder

    async def _find_another_way(self, error: OtherEngine) -> None:
        """Through the archive of a container; of a volume, of one that has it mounted. Raises the error if there is none."""
        if self.kind == "image":
            raise error
        if self.kind == "container":
            self._through = (self.ref, "")
            return
        for container in await self.session.client.containers.list(all=True):
            for mount in container.mounts:
                if mount.name == self.ref:
                    self._through = (container.id, mount.destination.rstrip("/"))
                    self.note = f"as the container {container.id[:12]} has it"
                    return
        raise OtherEngine(f"{error.message}; a volume that a container has can be seen through that")

    async def _from_archive(self, folder: str) -> list[Entry]:
        """From the archive of the whole place, which is read once."""
        if self._indexed is None:
            self._indexed = await self._index()
        entries = self._indexed.get(folder)
        if entries is None:
            raise NotFound(f"{folder} is not in what was read of the archive")
        return [of_member(posixpath.join(folder, posixpath.basename(one.path)), one, _moment(one.modified)) for one in entries]

    async def _index(self) -> dict[str, list[Member]]:
        _, chunks = await self.archive_get(self.ref, "/.")
        read, whole = await members(chunks, _MOST_MEMBERS, _MOST_BYTES)
        if not whole:
            self.note = f"the first {len(read)} files alone: this engine lists no folders, and its archive is large"
        folders: dict[str, list[Member]] = {"/": []}
        for one in read:
            path = posixpath.normpath("/" + one.path)
            if path == "/":
                continue
            folders.setdefault(posixpath.dirname(path), []).append(one)
            if one.kind == "directory":
                folders.setdefault(path, [])
        return folders

    # What ``copying`` needs: it is ``Archives``

    def _at(self, path: str) -> tuple[str, str]:
        """The container through which a path is read, and the path in it; without such a container what the page shows, and the path."""
        return (self._through[0], self._through[1] + "/" + path.lstrip("/")) if self._through else (self.ref, path)

    async def inspect(self, ref: str) -> object:
        client = self.session.client
        if self.kind == "image":
            return await client.images.inspect(ref)
        return await (client.containers.inspect(ref) if self.kind == "container" else client.volumes.inspect(ref))

    async def archive_stat(self, ref: str, path: str) -> PathStat:
        client = self.session.client
        if self.kind == "image":
            return await client.images.archive_stat(ref, path, layer=self.layer)
        if self.kind == "container" or self._through:
            return await client.containers.archive_stat(*self._at(path))
        return await client.volumes.archive_stat(ref, path)

    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        client = self.session.client
        if self.kind == "image":
            return await client.images.archive_get(ref, path, layer=self.layer)
        if self.kind == "container" or self._through:
            return await client.containers.archive_get(*self._at(path))
        return await client.volumes.archive_get(ref, path)

    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        client = self.session.client
        strict, own = no_overwrite_dir_non_dir, copy_uid_gid
        if self.kind == "image":
            raise InvalidArgument("an image does not change: run it, and commit the container")
        if self.kind == "container" or self._through:
            await client.containers.archive_put(*self._at(path), archive, no_overwrite_dir_non_dir=strict, copy_uid_gid=own)
        else:
            await client.volumes.archive_put(ref, path, archive, no_overwrite_dir_non_dir=strict, copy_uid_gid=own)
        self.forget()

    async def delete(self, path: str) -> None:
        """Deletes a file, or a folder with all that is in it. Raises ``MobyError``."""
        if self.kind != "volume":
            raise MobyError(f"files of {self.kind}s cannot be deleted from here; use a shell in the container")
        await self.session.client.volumes.delete_file(self.ref, path)
        self.forget()

    def changed_folders(self) -> list[str]:
        """The folders in which a container has changed something, as far as it is known."""
        folders = {posixpath.dirname(path) for path in self._marks or ()}
        return sorted(folders, key=len)

    def forget(self) -> None:
        """What was read of it may be no longer true."""
        self._marks = self._indexed = None


def _with_mark(entry: Entry, mark: str) -> Entry:
    return replace(entry, mark=mark) if mark else entry


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return ""
