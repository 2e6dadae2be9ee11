"""What is kept of each container, in a folder of its own below ``--root``, and what is so of it now."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.kernel.cgroup.group import Cgroup
from moby_tui.engine.protocol.configuration import Configuration, read
from moby_tui.errors import MobyError

VERSION = "1.2.0"
DEFAULT_ROOT = "/run/moby-oci"
_ID = re.compile(r"[A-Za-z0-9_+.-]{1,1024}")


class Container:
    """``state.json`` is replaced whole; ``go`` and ``report`` are the pipes by which a created container is started."""

    def __init__(self, root: str, ident: str) -> None:
        self.id = ident
        self.folder = f"{root}/{ident}"
        self.values: dict[str, Any] = {}

    @property
    def go(self) -> str:
        return f"{self.folder}/go"

    @property
    def report(self) -> str:
        return f"{self.folder}/report"

    @property
    def config(self) -> Configuration:
        """The configuration as it was when the container was created."""
        with open(f"{self.folder}/config.json", "rb") as file:
            return read(file.read())

    @property
    def pid(self) -> int:
        return int(self.values["pid"])

    @property
    def cgroup(self) -> Cgroup:
        return open_cgroup(self.values["cgroup"])

    def save(self) -> None:
        path = f"{self.folder}/state.json"
        with open(f"{path}.new", "w") as file:
            json.dump(self.values, file)
        os.rename(f"{path}.new", path)

    def runs(self) -> bool:
        """Whether its first process lives; a zombie does not."""
        return self.pid > 0 and processes.is_running(self.pid, self.values["pid_started"])

    def status(self) -> str:
        """creating, created, running, paused or stopped."""
        if self.values["status"] == "creating":
            return "creating"
        if not self.runs():
            return "stopped"
        if self.values["status"] == "running" and self.cgroup.frozen():
            return "paused"
        return str(self.values["status"])

    def state(self, status: str = "") -> dict[str, Any]:
        """The state as the specification has it ("State"), for the command line and for hooks."""
        status = status or self.status()
        state: dict[str, Any] = {"ociVersion": VERSION, "id": self.id, "status": status}
        state["pid"] = 0 if status == "stopped" else self.pid
        state["bundle"] = self.values["bundle"]
        if self.values["annotations"]:
            state["annotations"] = self.values["annotations"]
        return state


class Store:
    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def new(self, ident: str, bundle: str, config: Configuration, cgroup: str) -> Container:
        """The folder of a container that is being made. Raises ``MobyError`` if there is one of that name."""
        if not _ID.fullmatch(ident) or ident in (".", ".."):
            raise MobyError(f"invalid container id {ident!r}: use letters, digits and _ + - .")
        os.makedirs(self.root, 0o700, exist_ok=True)
        container = Container(self.root, ident)
        try:
            os.mkdir(container.folder, 0o711)
        except FileExistsError:
            raise MobyError(f"container with id {ident} already exists: delete it first") from None
        container.values = {
            "status": "creating",
            "pid": 0,
            "pid_started": 0,
            "bundle": bundle,
            "rootfs": config.root.path,
            "annotations": config.annotations,
            "cgroup": cgroup,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        with open(f"{container.folder}/config.json", "wb") as file:
            file.write(config.encode())
        container.save()
        return container

    def get(self, ident: str) -> Container:
        """Raises ``MobyError`` in runc's words, which other engines look for."""
        container = Container(self.root, ident)
        try:
            if not _ID.fullmatch(ident):
                raise FileNotFoundError
            with open(f"{container.folder}/state.json") as file:
                container.values = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            raise MobyError(f"container {ident!r} does not exist: container does not exist") from None
        return container

    def all(self) -> Iterator[Container]:
        try:
            names = sorted(os.listdir(self.root))
        except FileNotFoundError:
            return
        for name in names:
            try:
                yield self.get(name)
            except MobyError:
                # just being made or removed
                continue

    @contextmanager
    def locked(self, ident: str) -> Iterator[Container]:
        """The container, with nobody else at work on it."""
        container = self.get(ident)
        fd = os.open(container.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield self.get(ident)
        finally:
            os.close(fd)
