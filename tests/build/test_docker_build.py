"""The real docker CLI builds with the classic builder; and our own command line does."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine

DOCKERFILE = "FROM busybox\nCOPY said /\nRUN cat /said > /written; test ! -e /ignored\nCMD cat /written\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "said").write_text("built\n")
    (folder / "ignored").write_text("")
    (folder / ".dockerignore").write_text("ignored\n")
    return folder


async def test_docker_build(busybox: str, engine: Engine, project: Path, tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    env = {**os.environ, "DOCKER_HOST": f"unix://{socket}", "HOME": str(tmp_path), "DOCKER_BUILDKIT": "0"}

    async def docker(*arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            "docker", *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode()

    async with serving(engine, [f"unix://{socket}"]):
        status, out = await docker("build", "-t", "made", str(project))
        assert status == 0, out
        assert "Step 4/4 : CMD cat /written" in out
        assert "Successfully tagged made:latest" in out
        assert await docker("run", "--rm", "--network", "none", "made") == (0, "built\n")
        status, out = await docker("build", "-q", str(project))
        assert status == 0 and "Step" not in out and out.splitlines()[-1].startswith("sha256:")
        (project / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
        status, out = await docker("build", str(project))
        assert status != 0
        assert "The command '/bin/sh -c exit 9' returned a non-zero code: 9" in out


@pytest.mark.usefixtures("busybox")
def test_moby_build(cli: Callable[..., subprocess.CompletedProcess[str]], project: Path) -> None:
    assert "[2/3] COPY said /" in cli("build", "-t", "made", str(project)).stderr
    assert cli("run", "--rm", "--network", "none", "made").stdout == "built\n"
    (project / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
    failed = cli("build", str(project), check=False)
    assert failed.returncode == 9
    assert "returned a non-zero code: 9" in failed.stderr
