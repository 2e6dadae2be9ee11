"""Session-wide set-up. Every test has its own data root; all run in namespaces of the session's own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import namespaces

namespaces.enter()


@pytest.fixture
def roots() -> Iterator[tuple[Path, Path]]:
    """A fresh data root and exec root, with short names (a unix socket's path holds 107 bytes)."""
    base = Path(tempfile.mkdtemp(prefix="mt-", dir="/var/tmp"))
    yield base / "d", base / "r"
    shutil.rmtree(base, ignore_errors=True)
