"""The one file, for all tests of this folder."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def binary() -> Path:
    """``dist/moby``, built if it is older than its sources; one worker builds while the other waits."""
    (PROJECT / "dist").mkdir(exist_ok=True)
    with open(PROJECT / "dist" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "--no-print-directory", "dist/moby"], cwd=PROJECT, check=True)
    return PROJECT / "dist" / "moby"
