"""The files of a volume for the client protocol: what is in a folder, deletions, archives out of it and into it. Runs in an engine."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from moby_tui.engine.tasks import in_thread
from moby_tui.schema.container import PathStat
from moby_tui.schema.files import FolderEntry


class VolumeContents:
    """The part of ``Volumes`` of the client protocol that reads and changes files. ``manager.VolumeManager`` opens the volumes."""

    #: the folder of all volumes
    _folder: Path

    def _opened(self, name: str) -> AbstractAsyncContextManager[int]:
        """Opens the folder of a volume's content, and keeps the volume mounted during the block. Raises ``NotFound``, ``MobyError``."""
        raise NotImplementedError

    async def files(self, name: str, path: str = "/") -> AsyncIterator[FolderEntry]:
        """What is in a folder of a volume. Raises ``NotFound``, ``InvalidArgument``."""
        from moby_tui.engine.archive.listing import listing

        async with self._opened(name) as root:
            entries = listing(root, path, "the volume")
            while some := await in_thread(lambda: list(itertools.islice(entries, 1000))):
                for file in some:
                    yield file

    async def delete_file(self, name: str, path: str) -> None:
        """Deletes a file of a volume, or a folder with all that is in it; a link itself and not what it leads to.

        Raises ``NotFound``, ``InvalidArgument`` for the volume's own folder.
        """
        from moby_tui.engine.archive import files

        async with self._opened(name) as root:
            await in_thread(files.delete, root, path, "the volume")

    async def archive_stat(self, name: str, path: str) -> PathStat:
        """Name, size, mode and time of a path, in the form of those of a container's path. Raises ``NotFound``."""
        from moby_tui.engine.archive import files

        async with self._opened(name) as root:
            return await in_thread(files.stat, root, path, "the volume")

    async def archive_get(self, name: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """What ``archive_stat`` returns, and a tar of the path, piece by piece. Raises ``NotFound``."""
        return await self.archive_stat(name, path), self._read_archive(name, path)

    async def _read_archive(self, name: str, path: str) -> AsyncIterator[bytes]:
        from moby_tui.engine.archive import files

        async with self._opened(name) as root:
            pieces = files.get(root, path, of="the volume")
            while (piece := await in_thread(next, pieces, None)) is not None:
                yield piece

    async def archive_put(
        self,
        name: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        """Unpacks an archive into a folder of the volume, owners as it says; with ``copy_uid_gid`` all belongs to root, as there is no user.

        Raises ``NotFound``, ``InvalidArgument`` and ``StorageFull``; then nothing is changed.
        """
        from moby_tui.engine.resources.volumes import importing

        owner = (0, 0) if copy_uid_gid else None
        async with self._opened(name) as root:
            await importing.unpack_into(self._folder, root, name, path, archive, strict=no_overwrite_dir_non_dir, owner=owner)
