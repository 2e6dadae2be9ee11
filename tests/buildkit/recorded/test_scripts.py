"""Scripts of docker's clients (28.5, buildx 0.29, compose 2.40) against our daemon, beside what dockerd 28.5.2 has answered to the same.

What dockerd refuses with its own image store is recorded of one with containerd's.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plug_ins
from buildkit.recorded.scripts import running
from servers.registry import free_port
from servers.registry import running as running_registry

_FILES = ("outputs", "contexts", "calls", "management", "bake", "compose")
#: Scripts of one test; no test may take long.
_AT_ONCE = 15
#: The scripts to which this engine does not give dockerd's answer, or not yet.
_DIFFERING = json.loads((running.FOLDER / "differing.json").read_text())
_RECORDED = {
    name: {
        script: answer
        for script, answer in json.loads((running.FOLDER / f"dockerd_28_5_{name}.json").read_text()).items()
        if script not in _DIFFERING[name]
    }
    for name in _FILES
}
_PARTS = [(name, start) for name in _FILES for start in range(0, len(_RECORDED[name]), _AT_ONCE)]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A registry, a web server and a server of repositories, whose files the scripts make; by the variables that name them."""
    www = tmp_path / "www"
    www.mkdir()
    web, git = free_port(), free_port()
    commands = [
        [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", str(www), str(web)],
        [
            plug_ins.require("git"),
            "daemon",
            "--listen=127.0.0.1",
            f"--port={git}",
            f"--base-path={www}",
            "--export-all",
            str(www),
        ],
    ]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(command, start_new_session=True, **quiet) for command in commands]
    with running_registry(tmp_path / "registry") as registry:
        yield {"REGISTRY": registry.address, "WEB": f"127.0.0.1:{web}", "GIT": f"127.0.0.1:{git}", "WWW": str(www)}
    for process in started:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(("name", "start"), _PARTS)
async def test_every_script_answers_as_on_dockerd(
    socket: Path, tmp_path: Path, servers: dict[str, str], name: str, start: int
) -> None:
    plug_ins.require_plug_ins("buildx", "compose")
    scripts = [script for script in running.read(name) if script.name in _RECORDED[name]][start : start + _AT_ONCE]
    recorded = {script.name: _RECORDED[name][script.name] for script in scripts}
    assert len(recorded) == len(range(start, min(start + _AT_ONCE, len(_RECORDED[name]))))
    answers = await asyncio.to_thread(running.take, socket, tmp_path / "scripts", scripts, servers)
    different = {
        script: {field: [recorded[script][field], answer[field]] for field in answer if answer[field] != recorded[script][field]}
        for script, answer in answers.items()
        if not running.agree(recorded[script], answer)
    }
    assert different == {}
