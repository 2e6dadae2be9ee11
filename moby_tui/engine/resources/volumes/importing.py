"""Unpacks an archive into a volume (``moby volume import``, ``moby volume cp FILE VOLUME:PATH``): all of it, or nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.archive import files, tar
from moby_tui.engine.archive.incoming import consume
from moby_tui.engine.archive.unpack import Unpacking, lstat
from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import open_in_root, path_in
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.volumes import staging
from moby_tui.engine.resources.volumes.tree_copy import copy_attributes
from moby_tui.errors import MobyError, StorageFull

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


async def unpack_into(
    folder: Path,
    target: int,
    volume: str,
    path: str,
    pieces: AsyncIterator[bytes],
    *,
    strict: bool,
    owner: tuple[int, int] | None,
) -> None:
    """Unpacks an archive (tar, plain or gzip, bzip2, xz, zstd) into the existing directory ``path`` of a volume, open as ``target``.

    ``folder`` is that of the volumes. ``strict`` refuses to put a directory in the place of something else, or the reverse. All that is made
    belongs to ``owner``; if that is None, to whom the archive says. Raises ``NotFound``, ``InvalidArgument``, ``StorageFull`` and
    ``MobyError``; then nothing is changed.
    """

    def owner_of(uid: int, gid: int) -> tuple[int, int]:
        return owner or (uid, gid)

    def work(chunks: Iterator[bytes]) -> None:
        files.check_destination(target, path, "the volume")
        placing = staging.Note(volume, place=b"/")
        try:
            with staging.staged(folder, target, placing, replaces=True) as made:
                fault.point("volumes.import begun")
                _Mirrored(made, target, path, strict, owner_of).run(chunks)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no space left in volume {volume}; nothing was changed") from error
            raise MobyError(
                f"cannot unpack the archive into volume {volume}: {(error.strerror or str(error)).lower()}"
            ) from error

    await consume(pieces, work)


class _Mirrored(Unpacking):
    """Unpacks into a new folder, which will be put over the volume.

    A directory that the archive has something in, but does not describe, is made there as the volume has it, also if a link leads to it."""

    def __init__(self, made: int, volume: int, path: str, strict: bool, owner_of: Callable[[int, int], tuple[int, int]]) -> None:
        self._volume = volume
        super().__init__(made, os.fsencode(path), path, strict, owner_of)

    def _add(self, entry: tar.Entry, data: Callable[[], Iterator[memoryview]]) -> None:
        if self._strict and (name := tar.clean(entry.name)):
            folder, _, base = name.rpartition(b"/")
            with suppress(FileNotFoundError), closing(open_in_root(self._volume, self._path + b"/" + folder, os.O_PATH)) as there:
                self._check_kind(name, os.stat(base, dir_fd=there, follow_symlinks=False), entry)
        super()._add(entry, data)

    def _add_hard_link(self, parent: int, base: bytes, entry: tar.Entry) -> None:
        try:
            super()._add_hard_link(parent, base, entry)
        except FileNotFoundError:
            self._link(self._volume, tar.clean(entry.link), parent, base)

    def _make_parents(self, folder: bytes) -> int:
        return self._mirror(self._path + b"/" + folder)

    def _mirror(self, path: bytes, *, makes: bool = True) -> int:
        """Opens a directory of the new folder by its path in the volume. What is missing of it is made as the volume has it; what the volume
        does not have either is made anew if ``makes``. Raises ``OSError``."""
        there = open_in_root(self._root, b"/", _OPEN_DIRECTORY)
        for part in filter(None, path.split(b"/")):
            with closing(there):
                whole = os.fsencode(path_in(self._root, there)).rstrip(b"/") + b"/" + part
                try:
                    there = open_in_root(self._root, whole, _OPEN_DIRECTORY)
                except FileNotFoundError:
                    there = self._make(there, whole, part, makes=makes)
        return there

    def _make(self, parent: int, path: bytes, name: bytes, *, makes: bool) -> int:
        if lstat(parent, name) is not None:  # a link of the archive, to what only the volume can have
            target = os.readlink(name, dir_fd=parent)
            return self._mirror(target if target.startswith(b"/") else path.rpartition(b"/")[0] + b"/" + target, makes=False)
        try:
            original = open_in_root(self._volume, path, _OPEN_DIRECTORY)
        except FileNotFoundError:
            if not makes:
                raise
            os.mkdir(name, 0o755, dir_fd=parent)
            return os.open(name, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        with closing(original):
            real = os.fsencode(path_in(self._volume, original))
            if real != path:  # by a link
                return self._mirror(real)
            os.mkdir(name, 0o700, dir_fd=parent)
            made = os.open(name, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            copy_attributes(original, made, os.fstat(original))
            return made
