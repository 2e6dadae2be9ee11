"""Files of a result that is not exported yet, read by the client that directs the build: ReadFile, ReadDir and StatFile of the bridge.

The tree is hostile: paths are resolved by the kernel inside it, and what is no file or directory is not opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui import patterns
from moby_tui.api.buildkit.session.files.sending import described
from moby_tui.api.buildkit.wire.fsutil_pb2 import Stat
from moby_tui.api.buildkit.wire.gateway_pb2 import ReadDirRequest, ReadFileRequest
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.build import Made

#: Bytes of a file in one answer: a client takes messages of 16 MiB.
_MOST = 15 << 20
#: Entries of a directory in one answer.
_MOST_ENTRIES = 50_000


def file(made: Made, request: ReadFileRequest) -> bytes:
    """The content, or the asked part of it. Blocking. Raises ``NotFound``, ``InvalidArgument``."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    with _opened(made, request.FilePath, os.O_PATH) as there:
        if not stat.S_ISREG(os.fstat(there).st_mode):
            raise InvalidArgument(f"{request.FilePath[:200]!r} of the result is no file")
    with _opened(made, request.FilePath, flags) as descriptor:
        start = max(request.Range.Offset, 0)
        wanted = request.Range.Length if request.Range.Length > 0 else os.fstat(descriptor).st_size - start
        if wanted > _MOST:
            raise InvalidArgument(f"{request.FilePath[:200]!r} of the result has more than {_MOST} bytes; ask for a range of it")
        data = bytearray()
        while len(data) < wanted and (piece := os.pread(descriptor, wanted - len(data), start + len(data))):
            data += piece
        return bytes(data)


def directory(made: Made, request: ReadDirRequest) -> list[Stat]:
    """The entries by name; those that match, if there is a pattern. Blocking. Raises ``NotFound``, ``InvalidArgument``."""
    pattern = patterns.component(request.IncludePattern) if request.IncludePattern else None
    with _opened(made, request.DirPath, os.O_RDONLY | os.O_DIRECTORY) as folder:
        names = [name for name in sorted(os.listdir(folder)) if pattern is None or pattern.fullmatch(name)]
        if len(names) > _MOST_ENTRIES:
            raise InvalidArgument(
                f"{request.DirPath[:200]!r} of the result has more than {_MOST_ENTRIES} entries; give a pattern"
            )
        return [_described(folder, os.fsencode(name)) for name in names]


def status(made: Made, path: str) -> Stat:
    """What is at a path, behind its links. Blocking. Raises ``NotFound``."""
    with _opened(made, path, os.O_PATH) as descriptor:
        real = os.fsencode(os.readlink(f"/proc/self/fd/{descriptor}")).rpartition(b"/")[2]
        of = os.fstat(descriptor)
        name = os.fsencode(path).rstrip(b"/").rpartition(b"/")[2] or real or b"/"
        return described(name, b"", descriptor, of, {}, attributes=False)


def _described(folder: int, name: bytes) -> Stat:
    return described(name, name, folder, os.stat(name, dir_fd=folder, follow_symlinks=False), {}, attributes=False)


@contextmanager
def _opened(made: Made, path: str, flags: int) -> Iterator[int]:
    try:
        with made.files() as root, trees.closing(open_in_root(root, path.strip("/") or ".", flags)) as descriptor:
            yield descriptor
    except OSError as error:
        text = f"{path[:200]!r} of the result: {(error.strerror or '').lower()}"
        raise NotFound(text) if error.errno == errno.ENOENT else MobyError(text) from error
