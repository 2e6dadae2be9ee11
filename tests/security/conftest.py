"""What the tests of attacks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from security.attacker import Attacker


@pytest.fixture
async def attacker(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> Attacker:
    return Attacker(engine, busybox, roots[0])
