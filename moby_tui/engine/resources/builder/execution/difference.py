"""Makes a layer of what a step changed: from an overlay's upper folder to a tar as in the OCI image specification, layer.md.

Overlayfs on disk (kernel, Documentation/filesystems/overlayfs.rst): a whiteout is a character device 0:0, an opaque directory has
``trusted.overlay.opaque``. In a layer they are the files ``.wh.NAME`` and ``.wh..wh..opq``. The upper folder was written by a
container: any names, any depth, any kind of object.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from moby_tui.engine.archive.pack import contents
from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.resources.images.store.form import is_opaque, is_whiteout
from moby_tui.errors import InvalidArgument

_WHITEOUT = b".wh."
_OPAQUE_MARKER = b".wh..wh..opq"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: The end of an archive: two zero blocks.
_END = bytes(2 * tarfile.BLOCKSIZE)


def layer(
    upper: Path, lowers: list[Path], left_out: frozenset[bytes] = frozenset(), latest: int | None = None
) -> Iterator[bytes]:
    """The plain tar of ``Difference``, in pieces."""
    return Difference(upper, lowers, left_out, latest).pieces()


class Difference:
    """What a step changed. ``size``, once all pieces are there, is the bytes of its files.

    ``lowers`` are the layers below, top-most first; ``left_out`` are paths that the engine, not the step, made (mount points);
    no modification time is later than ``latest`` (Unix seconds).
    """

    def __init__(
        self, upper: Path, lowers: list[Path], left_out: frozenset[bytes] = frozenset(), latest: int | None = None
    ) -> None:
        self._upper = upper
        self._lowers = lowers
        self._left_out = left_out
        self._latest = latest
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """The plain tar; nothing at all if nothing changed. Blocking.

        Raises ``InvalidArgument`` for a name that no layer can hold.
        """
        below = snapshot.mount(self._lowers, None, None) if self._lowers else None
        top = os.open(self._upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        walk = _Walk(top, below, self._left_out, self._latest)
        try:
            empty = True
            for piece in walk.members():
                empty = False
                yield piece
            if not empty:
                yield _END
            self.size = walk.size
        finally:
            os.close(top)
            if below is not None:
                os.close(below)


class _Walk:
    def __init__(self, top: int, below: int | None, left_out: frozenset[bytes], latest: int | None) -> None:
        self._header = partial(_header, latest=latest)
        self._top = top
        self._below = below
        self._left_out = left_out
        #: Parents of mount points: if they were missing, the engine made them too.
        self._leading = {path[:at] for path in left_out for at in range(len(path)) if path[at : at + 1] == b"/"}
        self._first_names: dict[tuple[int, int], bytes] = {}
        #: Directories that overlayfs copied up only for an entry below; written when such an entry is written.
        self._held: dict[bytes, bytes] = {}
        #: bytes of the files so far
        self.size = 0

    def members(self) -> Iterator[bytes]:
        """A directory before what it holds, in it whiteouts first (layer.md: they SHOULD precede their siblings), then by name."""
        pending = [b""]
        while pending:
            folder = pending.pop()
            with trees.closing(trees.open_below(self._top, folder or b".")) as fd:
                yield from self._directory(fd, folder) if folder else self._root(fd)
                below = yield from self._content(fd, folder)
            pending += reversed(below)

    def _root(self, fd: int) -> Iterator[bytes]:
        """Writes the root directory unless its owner and mode are the usual ones: a container sees those of its uppermost layer."""
        status = os.fstat(fd)
        header = self._header(b"./", status, tarfile.DIRTYPE, fd)
        changed = not self._is_as_below(b".", status, header) if self._below is not None else False
        if changed:
            yield _encoded(header)
        elif (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (0o755, 0, 0):
            self._held[b""] = _encoded(header)

    def _directory(self, fd: int, path: bytes) -> Iterator[bytes]:
        status = os.fstat(fd)
        header = self._header(path, status, tarfile.DIRTYPE, fd)
        opaque = is_opaque(fd)
        usual = path in self._leading and (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o755, 0, 0)
        if not opaque and (usual or self._is_as_below(path, status, header)):
            self._held[path] = _encoded(header)
            return
        yield from self._parents(path)
        yield _encoded(header)
        if opaque:
            yield _marker(path + b"/" + _OPAQUE_MARKER)

    def _content(self, fd: int, folder: bytes) -> Generator[bytes, None, list[bytes]]:
        """Writes the entries of a directory; returns the directories among them."""
        entries: list[tuple[bool, bytes, os.stat_result]] = []
        for name in map(os.fsencode, os.listdir(fd)):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            entries.append((not is_whiteout(status), name, status))
        directories: list[bytes] = []
        for kept, name, status in sorted(entries, key=lambda item: item[:2]):
            path = folder + b"/" + name if folder else name
            if path in self._left_out and kept:
                continue
            if name.startswith(_WHITEOUT):
                raise InvalidArgument(
                    f"{os.fsdecode(path)[:200]!r}: no layer can hold a name that begins with .wh.; rename the file"
                )
            if not kept:
                yield from self._parents(path)
                yield _marker((folder + b"/" if folder else b"") + _WHITEOUT + name)
            elif stat.S_ISDIR(status.st_mode):
                directories.append(path)
            else:
                yield from self._object(fd, name, path, status)
        return directories

    def _object(self, folder: int, name: bytes, path: bytes, status: os.stat_result) -> Iterator[bytes]:
        if stat.S_ISSOCK(status.st_mode):  # no archive can hold one
            return
        yield from self._parents(path)
        first = self._first_names.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        flags = _READ if stat.S_ISREG(status.st_mode) else os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        with trees.closing(os.open(name, flags, dir_fd=folder)) as fd:
            if first != path:
                # with its attributes: dockerd sets a link's owner, which costs the file its capabilities, and then what the link has
                header = self._header(path, status, tarfile.LNKTYPE, None if stat.S_ISLNK(status.st_mode) else fd)
                header.linkname = os.fsdecode(first)
                yield _encoded(header)
            elif stat.S_ISREG(status.st_mode):
                header = self._header(path, status, tarfile.REGTYPE, fd)
                header.size = status.st_size
                self.size += status.st_size
                yield _encoded(header)
                yield from contents(fd, status.st_size)
            elif stat.S_ISLNK(status.st_mode):
                header = self._header(path, status, tarfile.SYMTYPE, None)
                header.linkname = os.readlink("", dir_fd=fd)
                yield _encoded(header)
            else:
                yield _encoded(_node_header(path, status, fd, self._header))

    def _parents(self, path: bytes) -> Iterator[bytes]:
        if (root := self._held.pop(b"", None)) is not None:
            yield root
        at = path.find(b"/")
        while at > 0:
            if (held := self._held.pop(path[:at], None)) is not None:
                yield held
            at = path.find(b"/", at + 1)

    def _is_as_below(self, path: bytes, status: os.stat_result, header: tarfile.TarInfo) -> bool:
        """True if a directory was copied up without a change. Its time does not count: any change in it changes that."""
        if self._below is None:
            return False
        try:
            lower = trees.open_below(self._below, path)
        except OSError:
            return False
        with trees.closing(lower):
            there = os.fstat(lower)
            mine = (status.st_mode, status.st_uid, status.st_gid)
            return mine == (there.st_mode, there.st_uid, there.st_gid) and _xattrs(lower).items() == _xattrs_of(header).items()


def _header(path: bytes, status: os.stat_result, kind: bytes, fd: int | None, latest: int | None) -> tarfile.TarInfo:
    header = tarfile.TarInfo(os.fsdecode(path))
    header.type = kind
    header.mode = stat.S_IMODE(status.st_mode)
    header.uid, header.gid = status.st_uid, status.st_gid
    seconds, fraction = divmod(status.st_mtime_ns, 1_000_000_000)
    if latest is not None and seconds >= latest:
        seconds, fraction = latest, 0
    header.mtime = seconds
    header.pax_headers = ({"mtime": f"{seconds}.{fraction:09d}"} if fraction and seconds >= 0 else {}) | (
        {} if fd is None else _xattrs(fd)
    )
    return header


def _node_header(
    path: bytes, status: os.stat_result, fd: int, describe: Callable[[bytes, os.stat_result, bytes, int], tarfile.TarInfo]
) -> tarfile.TarInfo:
    """The header of a named pipe or device. ``describe`` makes a header of path, status, type and open file."""
    if stat.S_ISFIFO(status.st_mode):
        return describe(path, status, tarfile.FIFOTYPE, fd)
    header = describe(path, status, tarfile.CHRTYPE if stat.S_ISCHR(status.st_mode) else tarfile.BLKTYPE, fd)
    header.devmajor, header.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return header


def _marker(path: bytes) -> bytes:
    """A whiteout: an empty file with the name of what it hides."""
    header = tarfile.TarInfo(os.fsdecode(path))
    header.mode = 0o600
    return _encoded(header)


def _encoded(header: tarfile.TarInfo) -> bytes:
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _xattrs(fd: int) -> dict[str, str]:
    """Capabilities and attributes ``user.*``, as PAX records; the others are the overlay's or the host's."""
    place: int | str = fd
    try:
        names = os.listxattr(fd)
    except OSError as error:
        # of a device or pipe, which is not opened
        if error.errno != errno.EBADF:
            raise
        place = f"/proc/self/fd/{fd}"
        names = os.listxattr(place)
    records: dict[str, str] = {}
    for name in sorted(names):
        if name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay.")):
            with suppress(OSError):
                records["SCHILY.xattr." + name] = os.getxattr(place, name).decode("utf-8", "surrogateescape")
    return records


def _xattrs_of(header: tarfile.TarInfo) -> dict[str, str]:
    return {name: value for name, value in header.pax_headers.items() if name != "mtime"}
