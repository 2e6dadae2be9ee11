"""The network of a running container, and the records on disk by which any process can undo it.

A *holding* is one thing that was made for a container: its place in a network, or one published port. The record of a holding,
``sandboxes/<container id>/<name>``, says how to undo it. It is locked (flock(2)) by a descriptor that the engine passes to the container's
monitor. If a record can be locked, its monitor is dead, and the process that locks it undoes the holding.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from moby_tui.engine.kernel.network.netlink import run_teardown
from moby_tui.engine.protocol.message import ForeignVersion, MalformedMessage
from moby_tui.engine.protocol.network import Forward, HostPort, SandboxRecord, TeardownStep
from moby_tui.engine.resources.networks import left
from moby_tui.engine.resources.networks.leases import Leases
from moby_tui.engine.store.records.containers import EndpointSettings, PortBinding
from moby_tui.errors import Conflict, Unavailable

#: How long a start waits for the monitor of the container's last run to finish its teardown, in seconds.
_PATIENCE = 10.0

#: The beginning of the names of published ports' records. The record of a network is named after the first digits of the network's id.
PORTS = "ports"

#: ``struct flock`` of fcntl(2): type, whence, start, length, pid.
_FLOCK = "@hhqqi"
_LOCK_FILE = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
#: Hexadecimal digits of a network's id that make the position of its lock, at most 2**63 - 1.
_POSITION_DIGITS = 15

Teardown = list[TeardownStep]


class Holding(msgspec.Struct, kw_only=True):
    """One thing that was made for a container. ``descriptor`` is its locked record; ``sockets`` must stay open for as long as it exists.

    ``teardown`` are the steps that undo it. The step ``close`` has the position of a descriptor: 0 is the record, then follow the sockets.
    """

    name: str
    path: Path
    descriptor: int
    sockets: list[int] = msgspec.field(default_factory=list)
    teardown: Teardown = msgspec.field(default_factory=list)
    #: what the monitor forwards, since the firewall cannot translate it
    forwards: list[Forward] = msgspec.field(default_factory=list)

    @property
    def descriptors(self) -> list[int]:
        return [self.descriptor, *self.sockets]

    def write(self, teardown: Teardown, published: dict[int, list[bytes]] | None = None, port: HostPort | None = None) -> None:
        """Writes the steps that undo the holding. To be called before the first of what they undo is made.

        ``published`` are the netlink messages that publish the port ``port``, for each IP version. Raises ``OSError``.
        """
        self.teardown = [*teardown, TeardownStep(unlink=str(self.path)), TeardownStep(rmdir=str(self.path.parent))]
        messages = {str(version): b"".join(parts).hex() for version, parts in (published or {}).items()}
        os.pwrite(self.descriptor, SandboxRecord(teardown=self.teardown, published=messages, port=port).encode(), 0)

    def release(self) -> None:
        """Undoes the holding and closes its descriptors. Raises ``OSError`` if a step fails, after the other steps."""
        try:
            run_teardown(self.teardown, self.descriptors)
        finally:
            closed = {step.close for step in self.teardown}
            for position, descriptor in enumerate(self.descriptors):
                if position not in closed:
                    with suppress(OSError):
                        os.close(descriptor)
            self.descriptor, self.sockets, self.teardown = -1, [], []

    def close(self) -> None:
        """Closes the descriptors of this process, once another process has them."""
        for descriptor in self.descriptors:
            with suppress(OSError):
                os.close(descriptor)
        self.descriptor, self.sockets = -1, []


class Sandbox(msgspec.Struct, kw_only=True):
    """A network namespace with its interfaces, and all that was made for it.

    ``netns_fd`` is None in the host's namespace. ``hosts`` and ``resolv_conf`` are the contents of /etc/hosts and /etc/resolv.conf. The
    descriptors of ``holdings`` must stay open for as long as the container runs; at its end the monitor calls
    ``kernel.netlink.run_teardown(teardown, keep_fds)``.
    """

    netns_fd: int | None = None
    holdings: list[Holding] = msgspec.field(default_factory=list)
    endpoints: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    #: the container's sockets of the name service; none unless it is in a user-defined network
    name_sockets: list[int] = msgspec.field(default_factory=list)
    #: the servers to which the name service forwards questions; none if the container has no default route
    servers: list[str] = msgspec.field(default_factory=list)
    #: the name of the container's interface in each network, by the network's name
    interfaces: dict[str, str] = msgspec.field(default_factory=dict)
    ports: dict[str, list[PortBinding] | None] = msgspec.field(default_factory=dict)
    hosts: str = ""
    resolv_conf: str = ""

    @property
    def keep_fds(self) -> list[int]:
        """The descriptors of all holdings, in their order."""
        return [descriptor for holding in self.holdings for descriptor in holding.descriptors]

    @property
    def teardown(self) -> Teardown:
        """The steps that undo all holdings, the last made first. Their positions are those in ``keep_fds``."""
        steps: list[Teardown] = []
        offset = 0
        for holding in self.holdings:
            steps.append([step if step.close is None else TeardownStep(close=step.close + offset) for step in holding.teardown])
            offset += len(holding.descriptors)
        return [step for part in reversed(steps) for step in part]

    def close(self) -> None:
        """Closes the descriptors of this process, once the monitor has its own. The network stays up."""
        for holding in self.holdings:
            holding.close()
        self.holdings = []
        self._close_namespace()

    def release(self) -> None:
        """Undoes all holdings. Raises the first ``OSError``, after the other steps."""
        failure: OSError | None = None
        while self.holdings:
            try:
                self.holdings.pop().release()
            except OSError as error:
                failure = failure or error
        self._close_namespace()
        if failure is not None:
            raise failure

    def _close_namespace(self) -> None:
        for descriptor in self.name_sockets:
            os.close(descriptor)
        self.name_sockets = []
        if self.netns_fd is not None:
            os.close(self.netns_fd)
            self.netns_fd = None


class Folders:
    """The records and the address leases of one engine, in its folder for networks."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "lock"
        self._membership = folder / "membership"
        #: the names of containers: see ``names.zone``
        self.zones = folder / "names"
        self._leases = folder / "leases"
        self._sandboxes = left.sandboxes(folder)

    def leases(self, network_id: str) -> Leases:
        return Leases(self._leases / network_id)

    @contextmanager
    def locked(self, network_ids: Iterable[str], *, shared: bool) -> Iterator[None]:
        """Holds the locks of networks: ``shared`` for the process that puts a container into them, exclusive for the one that removes one.

        Blocking. To be held from the look whether the network, or a container in it, is there until the work is done. All locks are in one
        file, which is never deleted: the byte that a network's id names. Raises ``OSError``.
        """
        kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
        self._membership.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._membership, _LOCK_FILE | os.O_CREAT, 0o600)
        try:
            for network_id in network_ids:
                lock = struct.pack(_FLOCK, kind, os.SEEK_SET, int(network_id[:_POSITION_DIGITS], 16), 1, 0)
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, lock)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def locked_if_free(self) -> Iterator[bool]:
        """Holds the locks of all networks, exclusive, and is True; False if another process has one of them. Does not wait.

        If there is no file for locks, no process has one, and none is made. Raises ``OSError``.
        """
        try:
            descriptor = os.open(self._membership, _LOCK_FILE)
        except (FileNotFoundError, NotADirectoryError):
            yield True
            return
        try:
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
                is_free = True
            except (BlockingIOError, PermissionError):
                is_free = False
            yield is_free
        finally:
            os.close(descriptor)

    def claim(self, container_id: str, name: str) -> Holding:
        """A new holding with an empty, locked record. Undoes what a killed monitor has left under this name, and waits up to ten seconds
        for a monitor that is ending.

        Raises ``Unavailable`` if the monitor of the last run does not end, ``Conflict`` if only a later moby can undo what is left.
        """
        path = self._sandboxes / container_id / name
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            # with ``exist_ok`` mkdir looks twice, and the monitor of the last run may remove the folder in between
            with suppress(FileExistsError):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (descriptor := left.lock(path, os.O_CREAT | os.O_EXCL)) is not None:
                return Holding(name=name, path=path, descriptor=descriptor)
            if (descriptor := left.lock(path)) is not None:
                try:
                    _undo(path, descriptor)
                except ForeignVersion as error:
                    raise Conflict(
                        f"what is left of the network of container {container_id[:12]}: {error}; use that one"
                    ) from error
                self.free_leases()
            else:
                time.sleep(0.005)
        raise Unavailable(f"the network of container {container_id[:12]} is still in use by its last run; try again")

    def reconcile(self) -> None:
        """Undoes every holding whose monitor is dead, and ends the leases of holdings that do not exist."""
        for path in self._records():
            descriptor = left.lock(path)
            if descriptor is not None:
                # after an error, or if a later version has written it, the record stays for the next try
                with suppress(OSError, ForeignVersion):
                    _undo(path, descriptor)
        self.free_leases()

    def published(self) -> dict[int, list[bytes]]:
        """The netlink messages that publish the ports of all containers, for each IP version, after ``reconcile``."""
        self.reconcile()
        return self.publishing()

    def publishing(self) -> dict[int, list[bytes]]:
        """As ``published``, but with holdings whose monitor is dead: their ports are published until they are undone."""
        messages: dict[int, list[bytes]] = {}
        for path in self._records():
            with suppress(OSError, MalformedMessage):
                for version, data in SandboxRecord.decode(path.read_bytes()).published.items():
                    messages.setdefault(int(version), []).append(bytes.fromhex(data))
        return messages

    def has_containers(self) -> bool:
        """True if there is a record of any container."""
        return bool(left.files(self._sandboxes))

    def members(self, network_id: str) -> list[str]:
        """The ids of the containers that have a place in a network."""
        return [path.parent.name for path in self._records() if path.name == network_id[:12]]

    def is_member(self, container_id: str, network_id: str) -> bool:
        """True if there is a record of the container's place in the network."""
        return (self._sandboxes / container_id / network_id[:12]).exists()

    def bound(self, container_id: str) -> dict[str, HostPort | None]:
        """The published ports of a container, by the names of their records; None for a record whose port is not bound yet."""
        ports: dict[str, HostPort | None] = {}
        for path in left.files(self._sandboxes / container_id):
            if path.name.startswith(PORTS):
                with suppress(OSError, MalformedMessage):
                    ports[path.name] = SandboxRecord.decode(path.read_bytes()).port
        return ports

    def holders(self) -> set[str]:
        """The ids of the containers that hold ports or addresses."""
        return {path.parent.name for path in self._records()}

    def _records(self) -> Iterator[Path]:
        return left.records(self._sandboxes)

    def free_leases(self) -> None:
        """Ends the leases whose record does not exist. A lease is made after its holding's record, and ended before that is deleted."""
        for folder in left.files(self._leases):
            for lease, owner in Leases(folder).owners():
                if not (self._sandboxes / owner).exists():
                    lease.unlink(missing_ok=True)


def _undo(path: Path, descriptor: int) -> None:
    """Undoes the holding of a locked record and deletes the record. If that is malformed, nothing was made for it yet.

    Raises ``OSError``, and ``ForeignVersion`` for the record of a later moby, which stays.
    """
    try:
        try:
            run_teardown(SandboxRecord.decode(path.read_bytes(), "record").teardown)
        except ForeignVersion:
            raise
        except MalformedMessage:
            pass
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the container has other holdings
            path.parent.rmdir()
    finally:
        os.close(descriptor)
