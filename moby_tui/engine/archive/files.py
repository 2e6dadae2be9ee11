"""Files of a container or a volume as tar streams: ``docker cp``, ``docker export``.

A container may be at work in them and is hostile: every path is resolved by the kernel inside the root of the container, or the volume,
(openat2(2), RESOLVE_IN_ROOT; CVE-2018-15664), and what is archived is reached from its top without following any link.

``root`` is a descriptor of that root, ``of`` what errors call what it belongs to.
"""

from __future__ import annotations

import errno
import os
import stat as status_bits
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from moby_tui.engine.archive import go_mode
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.ids import Owners
from moby_tui.engine.kernel.path import open_in_root, path_in, resolve_in_root
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import PathStat

_OBJECT = os.O_PATH | os.O_NOFOLLOW
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Nanoseconds of the years 1000 and 9999.
_FIRST, _LAST = -30_610_224_000 * 10**9, 253_402_300_800 * 10**9 - 1


def stat(root: int, path: str, of: str = "the container") -> PathStat:
    """What is at a path. A symbolic link at its end is itself meant, unless the path ends with ``/`` or ``/.``.

    Raises ``NotFound``.
    """
    with opened(root, path, of) as fd:
        status = os.fstat(fd)
        target = _link_target(root, path, fd) if status_bits.S_ISLNK(status.st_mode) else ""
    return PathStat(
        name=_base_name(path) or "/",
        size=status.st_size,
        mode=go_mode.of(status.st_mode),
        mtime=moment(status.st_mtime_ns),
        link_target=target,
    )


def moment(nanoseconds: int) -> str:
    """A time of a file as RFC 3339 has it; the nearest that can be written so, whatever a container has set."""
    seconds, fraction = divmod(min(max(nanoseconds, _FIRST), _LAST), 1_000_000_000)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def get(root: int, path: str, owners: Owners | None = None, of: str = "the container") -> Iterator[bytes]:
    """An uncompressed tar of a path; its first entry is the path's base name (``.`` where the path ends with it).

    ``root`` must stay open until the end; blocking. Raises ``NotFound``, at the first step.
    """
    from moby_tui.engine.archive.pack import pack

    with opened(root, path, of) as top:
        yield from pack(top, _base_name(path), owners.inside if owners else None)


async def put(
    root: int,
    path: str,
    pieces: AsyncIterator[bytes],
    *,
    no_overwrite_dir_non_dir: bool = False,
    belonging_to: tuple[int, int] | None = None,
    owners: Owners | None = None,
    of: str = "the container",
) -> None:
    """Unpacks an archive (tar, plain or gzip, bzip2, xz, zstd) into an existing directory.

    ``no_overwrite_dir_non_dir`` refuses to put a directory in place of something else or the reverse. All that is made belongs to
    the user and group ``belonging_to``; if none is given, to whom the archive says.
    Raises ``NotFound``, ``InvalidArgument`` and ``StorageFull``; what was unpacked until then stays.
    """
    from moby_tui.engine.archive.incoming import consume
    from moby_tui.engine.archive.unpack import unpack

    known = owners or Owners()

    def owner_of(uid: int, gid: int) -> tuple[int, int]:
        return known.outside(*(belonging_to or (uid, gid)))

    def work(chunks: Iterator[bytes]) -> None:
        check_destination(root, path, of)
        with known.making_files():
            unpack(chunks, root, os.fsencode(path), strict=no_overwrite_dir_non_dir, owner_of=owner_of)

    await consume(pieces, work)


def check_destination(root: int, path: str, of: str) -> None:
    """Raises ``NotFound``, and ``InvalidArgument`` for what is no directory."""
    try:
        fd = open_in_root(root, "/" + path.strip("/"), os.O_PATH)
    except NotADirectoryError as error:
        raise InvalidArgument(f"lstat {path}: not a directory") from error
    except OSError as error:
        raise NotFound(f"Could not find the file {path} in {of}") from error
    with trees.closing(fd):
        if not status_bits.S_ISDIR(os.fstat(fd).st_mode):
            raise InvalidArgument("extraction point is not a directory")


def check_writable(root: int, path: str, mounts: dict[str, bool], of: str = "the container", *, read_only: bool) -> None:
    """Refuses, with Docker's texts, what cannot be unpacked into: no directory, a read-only mount, or a root that is ``read_only``.

    ``mounts`` says of each destination whether it may be written to; the innermost one that holds the path decides. It is the
    kernel that keeps a mount read-only, whoever changes what lies here meanwhile. Raises ``NotFound`` and ``InvalidArgument``.
    """
    with opened(root, path, of, follow=True) as folder:
        if not status_bits.S_ISDIR(os.fstat(folder).st_mode):
            raise InvalidArgument("extraction point is not a directory")
        place = path_in(root, folder)
    writable, depth = None, -1
    for destination, may_write in mounts.items():
        with suppress(OSError), trees.closing(open_in_root(root, destination, os.O_PATH)) as fd:
            there = path_in(root, fd)
            if len(there) > depth and (place == there or place.startswith(there.rstrip("/") + "/")):
                writable, depth = may_write, len(there)
    if writable is False:
        raise InvalidArgument("mounted volume is marked read-only")
    if writable is None and read_only:
        raise InvalidArgument("container rootfs is marked read-only")


def export(root: int, owners: Owners | None = None) -> Iterator[bytes]:
    """An uncompressed tar of the whole root, without what is mounted in it. Blocking; ``root`` must stay open until the end."""
    from moby_tui.engine.archive.pack import pack

    with opened(root, "/") as top:
        yield from pack(top, "", owners.inside if owners else None, device=os.fstat(top).st_dev)


def delete(root: int, path: str, of: str = "the container") -> None:
    """Deletes what is at a path, a folder with all that is in it; a symbolic link itself and not what it leads to.

    Blocking. Raises ``NotFound``, and ``InvalidArgument`` for the root.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise InvalidArgument(f"{path or '/'} cannot be deleted; name what is in it")
    with opened(root, folder or "/", of, follow=True) as folder_fd:
        try:
            if status_bits.S_ISDIR(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode):
                trees.remove_at(folder_fd, name)
            else:
                os.unlink(name, dir_fd=folder_fd)
        except FileNotFoundError as error:
            raise NotFound(f"Could not find the file {path} in {of}") from error
        except NotADirectoryError as error:
            raise InvalidArgument(f"lstat {path}: not a directory") from error
        except OSError as error:
            raise MobyError(f"cannot delete {path} in the {of}: {error.strerror}") from error


@contextmanager
def opened(root: int, path: str, of: str = "the container", *, follow: bool = False) -> Iterator[int]:
    """The object that a caller's path means; with ``follow``, or a slash at its end, what a link leads to."""
    absolute = "/" + path.lstrip("/")
    follows = follow or absolute.endswith(("/", "/.", "/.."))
    try:
        fd = open_in_root(root, absolute, os.O_PATH if follows else _OBJECT)
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise InvalidArgument(f"lstat {path}: not a directory") from error
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG):
            raise NotFound(f"Could not find the file {path} in {of}") from error
        if error.errno == errno.EINVAL:
            raise InvalidArgument(f"invalid path {path!r}: {error.strerror}") from error
        raise MobyError(f"cannot open {path} in the {of}: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _base_name(path: str) -> str:
    """The last component; ``""`` for the root."""
    return path.rstrip("/").rpartition("/")[2]


def _link_target(root: int, path: str, link: int) -> str:
    """Where a link leads, as a path from the container's root, also if nothing is there; of links in a circle, what this one says."""
    try:
        return os.fsdecode(resolve_in_root(root, os.fsencode(path)))
    except OSError:
        return os.readlink("", dir_fd=link)
