"""Compiled filters on disk: a start reads a file instead of compiling."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from moby_tui.engine.policy.seccomp import library
from moby_tui.engine.store.digest import sha256
from moby_tui.engine.store.paths import Paths


def cached_program(paths: Paths, seccomp: dict[str, Any]) -> Path:
    """The file with the program for this ``linux.seccomp``; compiled when it is asked for the first time.

    The name is a digest of the rules, the machine and the compiler, so a file never changes. It is on disk before it has its
    name: a file cut short by a crash would be a container without a filter.
    """
    rules = json.dumps(seccomp, sort_keys=True)
    key = f"{rules}\n{os.uname().machine} {library.version()} {library.REVISION}"
    folder = paths.cache / "seccomp"
    path = folder / f"{sha256(key.encode()).hexdigest()}.bpf"
    if not path.exists():
        from moby_tui.engine.policy.seccomp import program

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, program.compile_loadable(seccomp))
    return path


def _write(path: Path, data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise
