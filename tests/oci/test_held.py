"""Processes that are frozen while they are made: a command says so after seconds, instead of waiting until somebody thaws them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.kernel.cgroup import files
from moby_tui.engine.kernel.cgroup.layout import detect
from oci import bundle


@pytest.fixture
def parent(runtime: bundle.Runtime) -> Iterator[tuple[str, str]]:
    """The path of a control group for containers, and the folder by which it is frozen."""
    layout = detect()
    tree = layout.roots.get("freezer") or (layout.unified and layout.unified.mountpoint)
    path = f"/moby-test-{uuid.uuid4().hex[:8]}"
    # a group below keeps it from being removed as an empty one
    os.makedirs(f"{tree}{path}/below")
    yield path, f"{tree}{path}"
    _switch(f"{tree}{path}", freeze=False)
    runtime.clear()
    os.rmdir(f"{tree}{path}/below")
    os.rmdir(f"{tree}{path}")


def _switch(folder: str, *, freeze: bool) -> None:
    if os.path.exists(f"{folder}/freezer.state"):
        files.write(f"{folder}/freezer.state", "FROZEN" if freeze else "THAWED")
    else:
        files.write(f"{folder}/cgroup.freeze", int(freeze))


def test_every_wait_ends(runtime: bundle.Runtime, tmp_path: Path, parent: tuple[str, str]) -> None:
    path, folder = parent

    def make(ident: str, **hooks: Any) -> str:
        def change(config: dict[str, Any]) -> None:
            config["linux"]["cgroupsPath"] = f"{path}/{ident}"
            config["hooks"] = hooks

        return str(bundle.make(tmp_path / ident, change, "sleep", "60"))

    for ident in ("oci-exec", "oci-start"):
        assert runtime("create", "--bundle", make(ident), ident).returncode == 0
    hooks = {"createRuntime": [{"path": "/bin/true"}]}
    asked = {
        "exec": ["exec", "oci-exec", "true"],
        "start": ["start", "oci-start"],
        "create": ["create", "--bundle", make("oci-create"), "oci-create"],
        "hooks": ["create", "--bundle", make("oci-hooks", **hooks), "oci-hooks"],
    }
    _switch(folder, freeze=True)
    with ThreadPoolExecutor(len(asked)) as pool:
        done = dict(zip(asked, pool.map(lambda words: runtime(*words), asked.values()), strict=True))
    for name, result in done.items():
        assert result.returncode in (1, 255), (name, result)
        assert f"the control group {path}/oci-{name} is frozen: thaw it, or the one above it, and start again" in result.stderr
    assert runtime.state("oci-exec")["status"] == "created"
    assert runtime("state", "oci-create").returncode == 1 and not os.path.exists(f"{folder}/oci-create")
    _switch(folder, freeze=False)
    assert runtime.state("oci-start")["status"] == "stopped"
    assert runtime("exec", "oci-exec", "true").returncode == 0
