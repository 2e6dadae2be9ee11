"""The runtimes that the tests call: each on a root of its own, whose containers are removed at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci import bundle


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[bundle.Runtime]:
    """Ours."""
    runtime = bundle.ours(tmp_path / "r")
    yield runtime
    runtime.clear()


@pytest.fixture(params=["moby", "runc"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bundle.Runtime]:
    """Ours and the reference: what a test says of the one it says of the other."""
    if request.param == "runc" and shutil.which("runc") is None:
        pytest.fail("these tests compare with runc: install it")
    runtime = bundle.ours(tmp_path / "r") if request.param == "moby" else bundle.Runtime(["runc"], tmp_path / "r")
    yield runtime
    runtime.clear()
