"""Bundles for an OCI runtime: a root of busybox and a configuration that a test changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from bench import image

Result = subprocess.CompletedProcess[str]


class Runtime:
    """One runtime's command line on a root of its own; what it makes in the session's namespaces is seen by nobody else."""

    def __init__(self, command: list[str], root: Path) -> None:
        self.command = [*command, "--root", str(root)]

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        # a file, not a pipe: what a detached container holds open must not be waited for
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            done = subprocess.run(
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL if stdin is None else None,
                input=stdin,
                stdout=out,
                stderr=err,
                text=True,
                timeout=60,
            )
            out.seek(0)
            err.seek(0)
            return Result(done.args, done.returncode, out.read(), err.read())

    def state(self, ident: str) -> dict[str, Any]:
        done = self("state", ident)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Removes all containers of the root."""
        for ident in self("list", "-q").stdout.split():
            self("delete", "--force", ident)


def ours(root: Path) -> Runtime:
    return Runtime([sys.executable, "-m", "moby_tui", "oci"], root)


def make(folder: Path, change: Callable[[dict[str, Any]], None] | None = None, *args: str) -> Path:
    """A bundle whose process is ``args``."""
    folder.mkdir()
    image.rootfs(folder / "rootfs")
    subprocess.run([sys.executable, "-m", "moby_tui", "oci", "spec", "--bundle", str(folder)], check=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["ociVersion"] = "1.0.2"  # the newest that the other runtimes here know
    config["process"] |= {"terminal": False, "args": list(args)}
    if change is not None:
        change(config)
    path.write_text(json.dumps(config))
    return folder


def listening(path: Path) -> Any:
    import socket

    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    server.settimeout(20)
    return server


def started(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")
