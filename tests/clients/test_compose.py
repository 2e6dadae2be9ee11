"""docker compose 2.40 against our daemon: every answer is the one that dockerd 28.5.2 has given."""

from __future__ import annotations

import asyncio
from pathlib import Path

import plug_ins
from clients import compose_steps, differing

#: Where this engine means to answer otherwise, and why.
OTHERWISE = {"a program that is missing[1]": "the error names no runtime: dockerd tells of its own before the program's"}


async def test_every_answer_is_dockerds(served_alone: Path, tmp_path: Path) -> None:
    plug_ins.require_plug_ins("compose", "buildx")
    folder = tmp_path / "project"
    folder.mkdir()
    answers = await asyncio.to_thread(compose_steps.take, served_alone, folder)
    differing.check(compose_steps.RECORDED, answers, OTHERWISE)
