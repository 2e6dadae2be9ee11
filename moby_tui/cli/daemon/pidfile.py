"""The file with the process id of a daemon: it names one that runs, and is gone with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moby_tui.errors import Conflict, MobyError


@contextmanager
def held(name: str) -> Iterator[None]:
    """Writes the file, and removes it at the end; without a ``name`` there is none.

    Raises ``Conflict`` if it names another process that runs, ``MobyError`` if it cannot be written."""
    if not name:
        yield
        return
    path = Path(name)
    _check(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(os.getpid()))
    except OSError as error:
        raise MobyError(
            f"failed to start daemon: cannot write pid file {path}: {(error.strerror or str(error)).lower()}"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _check(path: Path) -> None:
    with suppress(OSError, ValueError):
        pid = int(path.read_text().strip())
        if pid != os.getpid() and pid > 0 and Path(f"/proc/{pid}").exists():
            raise Conflict(
                f"failed to start daemon, ensure docker is not running or delete {path}: process with PID {pid} is still running"
            )
