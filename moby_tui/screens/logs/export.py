"""Log lines as a file: time, container and text of each, without colours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from moby_tui.screens.logs.moments import rfc3339
from moby_tui.screens.logs.store import LogLine


def write(path: Path, lines: Iterable[LogLine], names: dict[int, str]) -> None:
    """Writes lines to a new file, readable by its owner alone: logs hold secrets. Raises ``OSError``; ``FileExistsError`` if it is there."""
    with open(path, "xb", opener=_private) as file:
        for line in lines:
            stamp = f"{rfc3339(line.stamp)} " if line.stamp else ""
            name = f"{names.get(line.source, '')} " if len(names) > 1 else ""
            file.write(f"{stamp}{name}".encode() + line.text + b"\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
