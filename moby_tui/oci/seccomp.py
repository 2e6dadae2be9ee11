"""The filter of ``linux.seccomp``, compiled once for each set of rules and kept below ``--root``."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any


def program(root: str, seccomp: dict[str, Any] | None) -> bytes:
    """The compiled filter of the rules, from the cache below ``root`` if it was compiled before; empty without rules.

    Raises ``MobyError`` for rules that cannot be compiled.
    """
    if not seccomp:
        return b""
    from moby_tui.engine.policy.seccomp import library
    from moby_tui.engine.policy.seccomp import program as compiler

    rules = json.dumps(seccomp, sort_keys=True)
    key = hashlib.sha256(f"{rules}\n{os.uname()} {library.REVISION}".encode()).hexdigest()
    path = f"{root}/.seccomp/{key}"
    try:
        with open(path, "rb") as known:
            return known.read()
    except FileNotFoundError:
        code = compiler.compile_loadable(seccomp)
    os.makedirs(f"{root}/.seccomp", 0o700, exist_ok=True)
    unfinished = f"{path}.{os.getpid()}"
    with open(unfinished, "wb") as file:
        file.write(code)
        file.flush()
        # one cut short by a crash would be a container without a filter
        os.fsync(file.fileno())
    os.rename(unfinished, path)
    return code
