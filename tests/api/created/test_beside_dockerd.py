"""Each field of a create, with unusual and with wrong values, read back and compared with what dockerd 28.5.2 (API 1.51) has recorded."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from api.created import steps
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine

#: What this engine means to answer otherwise: of each case its own answer, under the reason.
OTHERWISE: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "otherwise.json").read_text())


@pytest.mark.parametrize("group", steps.GROUPS)
async def test_every_field_is_read_as_dockerd_reads_it(
    group: str, own_network: None, engine: Engine, busybox: str, tmp_path: Path
) -> None:
    expected = steps.recorded(group)
    for cases in OTHERWISE.values():
        expected |= {name: answer for name, answer in cases.items() if name in expected}
    socket = tmp_path / "s"
    async with serving(engine, [f"unix://{socket}"]):
        answers = json.loads(json.dumps(await asyncio.to_thread(steps.take, socket, group)))
    if output := os.environ.get("MOBY_ANSWERS"):
        steps.write(Path(f"{output}.{group}"), answers)
    different = {
        name: {"expected": expected[name], "moby": answer} for name, answer in answers.items() if expected[name] != answer
    }
    assert different == {}
    assert answers.keys() == expected.keys()
