"""A container's network while it is up, and the record on disk by which anybody can undo it.

The record ``sandboxes/<container id>`` holds the teardown. It is locked (flock(2)) through a descriptor that passes with the
sandbox to the container's monitor: a record that can be locked belongs to nobody, and what it tells is to be undone.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from moby_tui.engine.kernel.netlink import run_teardown
from moby_tui.errors import Unavailable
from moby_tui.schema.container import EndpointSettings, PortBinding

#: How long a start waits for the monitor of the container's last run to finish its teardown, in seconds.
_PATIENCE = 10.0

Teardown = list[dict[str, Any]]


class Sandbox(msgspec.Struct, kw_only=True):
    """A wired network namespace and what belongs to it.

    ``netns_fd`` is None in the host's namespace. ``keep_fds`` must stay open, in their order, for as long as the container
    lives: the locked record and the sockets of the published ports. At the end the monitor calls
    ``kernel.netlink.run_teardown(teardown, keep_fds)``. ``hosts`` and ``resolv_conf`` are the contents of the files.
    """

    netns_fd: int | None = None
    keep_fds: list[int] = msgspec.field(default_factory=list)
    teardown: Teardown = msgspec.field(default_factory=list)
    endpoints: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    ports: dict[str, list[PortBinding] | None] = msgspec.field(default_factory=dict)
    hosts: str = ""
    resolv_conf: str = ""

    def close(self) -> None:
        """Closes this process's descriptors, once the monitor has its own; the network stays up."""
        for descriptor in (self.netns_fd, *self.keep_fds):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)
        self.netns_fd = None
        self.keep_fds = []

    def release(self) -> None:
        """Undoes everything. Raises ``OSError`` where something of it could not be undone."""
        try:
            run_teardown(self.teardown, self.keep_fds)
        finally:
            closed = {step["close"] for step in self.teardown if "close" in step}
            self.keep_fds = [descriptor for position, descriptor in enumerate(self.keep_fds) if position not in closed]
            self.teardown = []
            self.close()


class Record:
    """The record of one sandbox, locked by this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def write(self, teardown: Teardown, published: list[bytes]) -> None:
        """Must precede what it tells how to undo. ``published`` are the messages that publish the ports."""
        content = json.dumps({"teardown": teardown, "published": b"".join(published).hex()})
        os.pwrite(self.descriptor, content.encode(), 0)


class Folders:
    """The records and the address leases of one engine."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "lock"
        self.leases = folder / "bridge" / "leases"
        self._sandboxes = folder / "sandboxes"

    def claim(self, container_id: str) -> Record:
        """A new record. Undoes what a killed monitor left of this container, and waits for one that is just ending.

        Raises ``Unavailable`` where that one does not end.
        """
        self._make()
        path = self._sandboxes / container_id
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if (record := _lock(path, os.O_CREAT | os.O_EXCL)) is not None:
                return record
            if (record := _lock(path)) is not None:
                _undo(record)
                self._free_leases()
            else:
                time.sleep(0.005)
        raise Unavailable(f"the network of container {container_id[:12]} is still in use by its last run; try again")

    def reconcile(self) -> None:
        """Undoes every sandbox whose monitor is dead, and frees addresses of containers that have none."""
        self._make()
        for path in list(self._sandboxes.iterdir()):
            record = _lock(path)
            if record is not None:
                with suppress(OSError):  # what could not be undone keeps its record for the next time
                    _undo(record)
        self._free_leases()

    def is_left(self, container_id: str) -> bool:
        """Whether the container's record is there and nobody's."""
        record = _lock(self._sandboxes / container_id)
        if record is not None:
            os.close(record.descriptor)
        return record is not None

    def is_anything_left(self) -> bool:
        """Whether ``reconcile`` would find something to do."""
        try:
            return any(self.is_left(name) for name in os.listdir(self._sandboxes))
        except FileNotFoundError:
            return False

    def _free_leases(self) -> None:
        """A lease is taken after the record is made, and given back before that goes."""
        for lease in list(self.leases.iterdir()):
            with suppress(OSError):
                if not (self._sandboxes / lease.readlink()).exists():
                    lease.unlink()

    def published(self) -> list[bytes]:
        """The messages that publish the ports of every sandbox; those that are dead are undone first."""
        self.reconcile()
        messages = []
        for path in list(self._sandboxes.iterdir()):
            with suppress(OSError, ValueError):
                messages.append(bytes.fromhex(json.loads(path.read_bytes())["published"]))
        return messages

    def _make(self) -> None:
        for folder in (self._sandboxes, self.leases):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock(path: Path, flags: int = 0) -> Record | None:
    """The record, locked, or None where somebody else has it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except (FileNotFoundError, FileExistsError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return Record(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _undo(record: Record) -> None:
    """Carries out a dead sandbox's teardown; a half-written one has nothing behind it yet."""
    try:
        with suppress(ValueError):
            run_teardown(json.loads(record.path.read_bytes())["teardown"])
        record.path.unlink(missing_ok=True)
    finally:
        os.close(record.descriptor)
