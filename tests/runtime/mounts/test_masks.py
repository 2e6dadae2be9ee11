"""Masks over paths of a container: what they hide, and what making them leaves open."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: Masks a directory and a file of the folder in its first argument, and prints what is seen of them, and the descriptors that are new.
_PROGRAM = """
import ctypes, json, os, sys
from moby_tui.engine.kernel import calls
from moby_tui.engine.runtime.plan.filesystem.masks import mask, open_masks
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.program import Program

folder = sys.argv[1]
assert calls.unshare(0x20000) == 0
assert calls.mount(None, b"/", None, 0x44000, None) == 0
program = Program()
files = FileSystemPlan(program, os.open(folder, os.O_PATH))
pair = open_masks(program, "/dev/null", f"{folder}/empty")
for path in ("/secrets", "/key", "/missing", "/key/below"):
    mask(files, path, pair)
before = set(os.listdir("/proc/self/fd"))
program.perform(2)
opened = set(os.listdir("/proc/self/fd")) - before
print(json.dumps([os.listdir(f"{folder}/secrets"), open(f"{folder}/key").read(), len(opened)]))
"""


def test_a_mask_leaves_no_detached_mount(tmp_path: Path) -> None:
    """The kernel takes one down at execve, and waits for a grace period: of a directory there is no mask of a file besides."""
    for name in ("secrets", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets/one").touch()
    (tmp_path / "key").write_text("secret")
    done = subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # the two that masks are made of, and the two masks
    assert json.loads(done.stdout) == [[], "", 4]
