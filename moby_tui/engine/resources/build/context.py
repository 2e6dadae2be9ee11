"""The build context: a tar that the client sent, unpacked in a folder of its own, without what ``.dockerignore`` names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.build.patterns import Ignore
from moby_tui.engine.resources.images.apply import apply
from moby_tui.engine.resources.images.compression import decompress
from moby_tui.errors import InvalidArgument

#: No Dockerfile and no ignore file is larger; they are held in memory.
_TEXT_LIMIT = 4 << 20
_CHUNK = 1 << 20


class Context:
    """``root`` is a descriptor of the folder: every path in it is resolved below that. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.root)

    def unpack(self, archive: Path) -> None:
        """Blocking. Raises ``InvalidArgument`` for what is no tar or would reach outside, ``StorageFull``."""
        apply(decompress(_chunks(archive)), self.root)

    def dockerfile(self, name: str) -> bytes:
        """Raises ``InvalidArgument`` where there is none, or it is empty."""
        data = self._read(name)
        if data is None:
            raise InvalidArgument(f"Cannot locate specified Dockerfile: {name}")
        if not data.strip():
            raise InvalidArgument(f"the Dockerfile ({name}) cannot be empty")
        return data

    def ignore(self, dockerfile: str) -> Ignore | None:
        """What the Dockerfile's own ignore file names, or else ``.dockerignore``. Raises ``InvalidArgument``."""
        for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
            if (data := self._read(name)) is not None:
                return Ignore(data.decode("utf-8", "surrogateescape"))
        return None

    def leave_out_ignored(self, dockerfile: str) -> None:
        """Deletes what is ignored. Blocking."""
        if (ignore := self.ignore(dockerfile)) is not None:
            self._delete_excluded(ignore)

    def _read(self, name: str) -> bytes | None:
        """A small regular file; None where there is nothing. A pipe or device in its place is not waited for."""
        try:
            fd = open_in_root(self.root, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InvalidArgument(f"cannot read {name[:200]!r} of the build context: {error.strerror}") from error
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InvalidArgument(f"{name[:200]!r} of the build context is not a file")
            data = file.read(_TEXT_LIMIT + 1)
        if len(data) > _TEXT_LIMIT:
            raise InvalidArgument(f"{name[:200]!r} of the build context has more than {_TEXT_LIMIT} bytes")
        return data

    def _delete_excluded(self, ignore: Ignore) -> None:
        kept: list[bytes] = []
        pending = [b""]
        while pending:
            folder = pending.pop()
            with trees.closing(trees.open_below(self.root, folder or b".")) as fd:
                for name in os.listdir(fd):
                    path = folder + b"/" + os.fsencode(name) if folder else os.fsencode(name)
                    excluded = ignore.excludes(os.fsdecode(path))
                    if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                        if excluded:
                            os.unlink(name, dir_fd=fd)
                    elif not excluded or ignore.has_exceptions:
                        pending.append(path)
                        if excluded:
                            kept.append(path)
                    else:
                        trees.remove_at(fd, name)
        for path in reversed(kept):  # children after their parents in the list: they go first
            above, _, base = path.rpartition(b"/")
            with suppress(OSError), trees.closing(trees.open_below(self.root, above or b".")) as fd:
                os.rmdir(base, dir_fd=fd)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk
