"""One stage for all fault tests of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import namespaces
from faults.fault_stage import Stage


@pytest.fixture(scope="session")
def stage(busybox_archive: Path) -> Iterator[Stage]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    made = Stage(namespaces.folder() / f"faults-{worker}", busybox_archive, 18080 + int(worker))
    yield made
    made.close()
