"""What the runtime tests share."""

from __future__ import annotations

import pytest

from moby_tui.engine.engine import Engine
from runtime.box import Box


@pytest.fixture
async def box(engine: Engine, busybox: str) -> Box:
    return Box(engine, busybox)
