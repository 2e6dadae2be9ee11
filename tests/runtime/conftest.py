"""What the runtime tests share."""

from __future__ import annotations

import pytest
from box import Box

from moby_tui.engine.engine import Engine


@pytest.fixture
async def box(engine: Engine, busybox: str) -> Box:
    return Box(engine, busybox)
