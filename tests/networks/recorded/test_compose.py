"""One project of five services on three networks, from ``docker compose up`` to ``down -v``, as dockerd 28.5.2 and compose 2.40.3 have it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import plug_ins
from networks.recorded import compose_steps

#: Where this engine means to answer otherwise, and why.
OTHERWISE: dict[str, str] = {}


async def test_every_answer_is_dockerds(served_engine: Path, tmp_path: Path) -> None:
    plug_ins.require_plug_ins("compose")
    recorded = json.loads(compose_steps.RECORDED.read_text())
    answers = await asyncio.to_thread(compose_steps.take, served_engine, tmp_path)
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1) + "\n")
    different = {
        name: {"dockerd": recorded[name], "moby": answer}
        for name, answer in answers.items()
        if recorded[name] != answer and name not in OTHERWISE
    }
    assert different == {}
