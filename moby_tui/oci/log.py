"""What goes wrong, told as runc tells it: on standard error, or a line in the file of ``--log``."""

from __future__ import annotations

import json
import os
import sys
import time


class _Log:
    path = ""
    as_json = False


def use(path: str, form: str) -> None:
    """Raises ``OSError`` if the file cannot be opened."""
    _Log.path, _Log.as_json = path, form == "json"
    if path:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644))


def fail(message: str) -> None:
    """An error: in the log, and on standard error for whoever reads that."""
    _write("error", message)
    if _Log.path:
        print(message, file=sys.stderr)


def warn(message: str) -> None:
    _write("warning", message)


def _write(level: str, message: str) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if _Log.as_json:
        line = json.dumps({"level": level, "msg": message, "time": moment})
    else:
        line = f'time="{moment}" level={level} msg={json.dumps(message)}'
    if not _Log.path:
        print(line, file=sys.stderr)
        return
    with open(_Log.path, "a") as file:
        file.write(f"{line}\n")
