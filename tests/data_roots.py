"""Where a test keeps an engine's files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

import leaks
import namespaces

_numbers = count()


@contextmanager
def fresh_roots() -> Iterator[tuple[Path, Path]]:
    """A fresh data root and exec root, with short names (a unix socket's path holds 107 bytes).

    What is left alive in them is killed and makes the test fail.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    base = namespaces.folder() / f"{worker}-{next(_numbers)}"
    base.mkdir()
    os.environ[leaks.ROOT] = str(base)
    found = None
    try:
        yield base / "d", base / "r"
        found = leaks.settled(lambda: leaks.of_test(base))
    finally:
        del os.environ[leaks.ROOT]
        leaks.sweep_test(base, clean=found == [])
        leaks.reap_adopted()
    if found:
        pytest.fail("left behind: " + "; ".join(found))
