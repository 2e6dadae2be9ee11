"""What the tests of volumes share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

import namespaces


@pytest.fixture(autouse=True)
def _plug_ins_of_one_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """The folder of plug-ins is one for all workers: no other test of volumes runs beside one that has a plug-in there."""
    lock = os.open(namespaces.folder() / "tmp", os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX if request.module.__name__.endswith("test_plugins") else fcntl.LOCK_SH)
    yield
    os.close(lock)
