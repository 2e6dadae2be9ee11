"""Files that a step has written for the builder itself to read: statements of an image, graphs. The tree is hostile. Blocking."""

from __future__ import annotations

import os
import stat

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.kernel.trees import closing
from moby_tui.errors import InvalidArgument

#: Files of a folder, and bytes of a statement.
_MOST, _LARGEST = 100, 64 << 20


def files(root: int, path: str) -> list[bytes]:
    """Those of a folder, by their names. Raises ``InvalidArgument`` for what is no file, and for more than anybody needs."""
    try:
        # the root itself is a descriptor that nothing can be read from
        with closing(open_in_root(root, path.strip("/") or ".", os.O_RDONLY | os.O_DIRECTORY)) as folder:
            names = sorted(os.listdir(folder))
    except OSError as error:
        raise InvalidArgument(f"failed to open {path[:200]!r}: {(error.strerror or '').lower()}") from error
    if len(names) > _MOST:
        raise InvalidArgument(f"{path[:200]!r} has more than {_MOST} files")
    return [file(root, os.path.join(path, name)) for name in names]


def file(root: int, path: str, meant: str = "statement", most: int = _LARGEST) -> bytes:
    """A file's content, of at most ``most`` bytes. ``meant`` says in the refusal what it is to be. Raises ``InvalidArgument``."""
    try:
        with closing(open_in_root(root, path.strip("/") or ".", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)) as opened:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                raise InvalidArgument(f"{path[:200]!r} is no {meant}: no file, or larger than {most} bytes")
            with open(opened, "rb", closefd=False) as reader:
                return reader.read(most)
    except OSError as error:
        raise InvalidArgument(f"failed to open {path[:200]!r}: {(error.strerror or '').lower()}") from error
