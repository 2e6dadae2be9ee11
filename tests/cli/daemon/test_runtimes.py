"""Other OCI runtimes at the command line: named with a container, registered with the daemon, told of by ``info``."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_a_registered_runtime_is_used_where_none_is_named(
    box: Cli, begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    socket, runtime, calls = tmp_path / "s", tmp_path / "counted", tmp_path / "calls"
    runtime.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec {shutil.which("runc")} "$@"\n')
    runtime.chmod(0o755)
    daemon = begin("daemon", "-H", f"unix://{socket}", "--add-runtime", f"counted={runtime}", "--default-runtime", "counted")
    assert daemon.stdout is not None and b"API listening" in daemon.stdout.readline()
    there = ("-H", f"unix://{socket}")
    assert "Default Runtime: counted" in box(*there, "info").stdout
    assert box(*there, "run", "--network", "none", "box", "echo", "hi").stdout == "hi\n"
    box(*there, "rm", *box("ps", "-aq").stdout.split())
    assert " create " in calls.read_text() and " delete " in calls.read_text()
    calls.unlink()
    assert box(*there, "run", "--rm", "--runtime", "moby", "--network", "none", "box", "echo", "ours").stdout == "ours\n"
    assert not calls.exists()
    refused = box(*there, "run", "--runtime", "other", "box", "true", check=False)
    assert refused.returncode == 125
    assert "unknown or invalid runtime name: other" in refused.stderr
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0


def test_a_bad_registration_is_told_before_anything_is_served(cli: Cli, tmp_path: Path) -> None:
    where = ("daemon", "-H", f"unix://{tmp_path}/s")
    assert "give it as name=path" in cli(*where, "--add-runtime", "crun", check=False).stderr
    assert "not the absolute path of a program" in cli(*where, "--add-runtime", "x=/none", check=False).stderr
    assert "unknown or invalid runtime name: none" in cli(*where, "--default-runtime", "none", check=False).stderr
