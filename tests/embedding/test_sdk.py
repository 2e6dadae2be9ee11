"""The face of the package for Python programs, as the README shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import moby_tui


async def test_an_engine_by_its_name(roots: tuple[Path, Path]) -> None:
    async with moby_tui.Engine.open(*roots) as engine:
        assert await engine.containers.list() == []
    async with moby_tui.connect(data_root=roots[0], exec_root=roots[1]) as client:
        assert (await client.system.version()).version


def test_the_package_alone_imports_nothing_of_it() -> None:
    code = "import moby_tui, sys; print([name for name in sys.modules if name.startswith('moby_tui.') or name == 'asyncio'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = moby_tui.nothing
