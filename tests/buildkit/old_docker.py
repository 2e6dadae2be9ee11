"""Docker's command line of a version before 23, which has a client of BuildKit built in."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

_PLACES = ("/usr/bin", "/usr/local/bin")


@cache
def program() -> str | None:
    """Its path, or None."""
    for path in filter(None, (shutil.which("docker", path=place) for place in _PLACES)):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"Docker version (\d+)", told)
        if version and 18 < int(version[1]) < 23:
            return path
    return None


class OldDocker:
    """Calls it with the engine that answers at ``socket``."""

    def __init__(self, socket: Path, home: Path) -> None:
        if program() is None:
            pytest.skip("no docker command line of a version before 23")
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": f"unix://{socket}"}

    async def __call__(self, *arguments: str, stdin: Iterable[bytes] = (), buildkit: str = "1") -> tuple[int, str]:
        """The exit code, and what it says. An empty ``buildkit`` leaves the choice to it."""
        choice = {"DOCKER_BUILDKIT": buildkit} if buildkit else {}
        path = program()
        assert path is not None
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            env=self._env | choice,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate(b"".join(stdin))
        return process.returncode or 0, out.decode()
