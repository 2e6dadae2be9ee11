"""A step that fails can be looked at: its files, its mounts, its environment."""

from __future__ import annotations

import os

import pytest

from build.building import Build
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.exec import ExecCreate, ExecStart

pytestmark = pytest.mark.usefixtures("busybox")
TEXT = """
FROM busybox
ARG VALUE
WORKDIR /work
RUN --mount=type=secret,id=s,target=/sec --mount=type=bind,source=d,target=/d echo half > made; exit 5
"""


async def test_a_failed_step_is_held_until_its_container_ends(engine: Engine) -> None:
    wanted = Build(engine, TEXT, {"d/f": b"bound\n"}, secrets={"s": b"hush\n"}, build_args={"VALUE": "v"}, debug=True)
    seen = ""
    with pytest.raises(MobyError, match="returned a non-zero code: 5"):
        async for line in wanted.lines():
            if line.aux and "Debug" in line.aux:
                container = str(line.aux["Debug"])
                asked = ExecCreate(attach_stdout=True, cmd=["/bin/sh", "-c", "cat made /sec /d/f; echo $VALUE; pwd"])
                stream = await engine.containers.exec_start(await engine.containers.exec_create(container, asked), ExecStart())
                assert stream is not None
                seen = b"".join([data async for _, data in stream.output()]).decode()
                await engine.containers.kill(container)
    assert seen == "half\nhush\nbound\nv\n/work\n"
    assert os.listdir(engine.paths.data_root / "containers") == []
    assert os.listdir(engine.paths.staging) == []


async def test_whoever_leaves_takes_the_held_step_along(engine: Engine) -> None:
    lines = Build(engine, "FROM busybox\nRUN false\n", {}, debug=True).lines()
    async for line in lines:
        if line.aux and "Debug" in line.aux:
            break
    await lines.aclose()
    assert os.listdir(engine.paths.data_root / "containers") == []
