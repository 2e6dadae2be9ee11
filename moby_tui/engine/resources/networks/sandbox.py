"""A container's network while it is up, and the records on disk by which anybody can undo it.

What was made for a container, a place in a network or its published ports, is a *holding*. Its record ``sandboxes/<container id>/<name>``
tells how to undo it, and is locked (flock(2)) through a descriptor that passes to the container's monitor: a record that can be locked
belongs to nobody, and what it tells is to be undone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
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

#: What the records of a container's published ports are called; those of its networks have the first digits of their ids.
PORTS = "ports"

Teardown = list[TeardownStep]


class Holding(msgspec.Struct, kw_only=True):
    """One thing that was made for a container. ``descriptor`` is its locked record; ``sockets`` stay open for as long as it is there.

    In ``teardown`` the step ``close`` names a position among the record and the sockets behind it.
    """

    name: str
    path: Path
    descriptor: int
    sockets: list[int] = msgspec.field(default_factory=list)
    teardown: Teardown = msgspec.field(default_factory=list)
    #: for sockets whose traffic the firewall cannot translate
    forwards: list[Forward] = msgspec.field(default_factory=list)

    @property
    def descriptors(self) -> list[int]:
        return [self.descriptor, *self.sockets]

    def write(self, teardown: Teardown, published: dict[int, list[bytes]] | None = None, port: HostPort | None = None) -> None:
        """Must precede what it tells how to undo. ``published`` are the messages that publish a port, for each IP version; ``port`` says
        which one."""
        self.teardown = [*teardown, TeardownStep(unlink=str(self.path)), TeardownStep(rmdir=str(self.path.parent))]
        messages = {str(version): b"".join(parts).hex() for version, parts in (published or {}).items()}
        os.pwrite(self.descriptor, SandboxRecord(teardown=self.teardown, published=messages, port=port).encode(), 0)

    def release(self) -> None:
        """Undoes it. Raises ``OSError`` where something of it could not be undone."""
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
        """Closes this process's descriptors: another one has them."""
        for descriptor in self.descriptors:
            with suppress(OSError):
                os.close(descriptor)
        self.descriptor, self.sockets = -1, []


class Sandbox(msgspec.Struct, kw_only=True):
    """A wired network namespace and what belongs to it.

    ``netns_fd`` is None in the host's namespace. ``hosts`` and ``resolv_conf`` are the contents of the files. What ``holdings`` hold must
    stay open for as long as the container lives; at the end its monitor calls ``kernel.netlink.run_teardown(teardown, keep_fds)``.
    """

    netns_fd: int | None = None
    holdings: list[Holding] = msgspec.field(default_factory=list)
    endpoints: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    #: the container's sockets of the name service, where it is in a network that has names
    name_sockets: list[int] = msgspec.field(default_factory=list)
    #: the servers that the name service asks; none where questions do not leave the container's networks
    servers: list[str] = msgspec.field(default_factory=list)
    #: for each network the name of the container's interface
    interfaces: dict[str, str] = msgspec.field(default_factory=dict)
    ports: dict[str, list[PortBinding] | None] = msgspec.field(default_factory=dict)
    hosts: str = ""
    resolv_conf: str = ""

    @property
    def keep_fds(self) -> list[int]:
        return [descriptor for holding in self.holdings for descriptor in holding.descriptors]

    @property
    def teardown(self) -> Teardown:
        """How to undo all of it, the last made first, with positions among ``keep_fds``."""
        steps: list[Teardown] = []
        offset = 0
        for holding in self.holdings:
            steps.append([step if step.close is None else TeardownStep(close=step.close + offset) for step in holding.teardown])
            offset += len(holding.descriptors)
        return [step for part in reversed(steps) for step in part]

    def close(self) -> None:
        """Closes this process's descriptors, once the monitor has its own; the network stays up."""
        for holding in self.holdings:
            holding.close()
        self.holdings = []
        self._close_namespace()

    def release(self) -> None:
        """Undoes everything. Raises ``OSError`` where something of it could not be undone."""
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
    """The records and the address leases of one engine."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "lock"
        #: what containers are called: see ``names.zone``
        self.zones = folder / "names"
        self._leases = folder / "leases"
        self._sandboxes = left.sandboxes(folder)

    def leases(self, network_id: str) -> Leases:
        return Leases(self._leases / network_id)

    def claim(self, container_id: str, name: str) -> Holding:
        """A new holding with an empty record. Undoes what a killed monitor left of it, and waits for one that is just ending.

        Raises ``Unavailable`` where that one does not end, ``Conflict`` where only a later moby can undo it.
        """
        path = self._sandboxes / container_id / name
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            # the monitor of the last run may remove the folder between the two looks that ``exist_ok`` takes
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
        """Undoes every holding whose monitor is dead, and frees addresses of containers that have none."""
        for path in self._records():
            descriptor = left.lock(path)
            if descriptor is not None:
                # what could not be undone, or not by this version, keeps its record for the next time
                with suppress(OSError, ForeignVersion):
                    _undo(path, descriptor)
        self.free_leases()

    def published(self) -> dict[int, list[bytes]]:
        """For each IP version the messages that publish the ports of every holding; those that are dead are undone first."""
        self.reconcile()
        return self.publishing()

    def publishing(self) -> dict[int, list[bytes]]:
        """As ``published``, and with those that are dead: what they published is there until they are undone."""
        messages: dict[int, list[bytes]] = {}
        for path in self._records():
            with suppress(OSError, MalformedMessage):
                for version, data in SandboxRecord.decode(path.read_bytes()).published.items():
                    messages.setdefault(int(version), []).append(bytes.fromhex(data))
        return messages

    def is_anybody_in(self) -> bool:
        """Whether a container is in any network."""
        return bool(left.files(self._sandboxes))

    def members(self, network_id: str) -> list[str]:
        """The ids of the containers that are in a network."""
        return [path.parent.name for path in self._records() if path.name == network_id[:12]]

    def is_member(self, container_id: str, network_id: str) -> bool:
        """True if there is a record of the container's place in the network."""
        return (self._sandboxes / container_id / network_id[:12]).exists()

    def bound(self, container_id: str) -> dict[str, HostPort | None]:
        """The published ports of a container, by the names of their records; None where nothing is bound yet."""
        found: dict[str, HostPort | None] = {}
        for path in left.files(self._sandboxes / container_id):
            if path.name.startswith(PORTS):
                with suppress(OSError, MalformedMessage):
                    found[path.name] = SandboxRecord.decode(path.read_bytes()).port
        return found

    def publishers(self) -> list[str]:
        """The ids of the containers that have published ports."""
        return [path.parent.name for path in self._records() if path.name.startswith(PORTS)]

    def _records(self) -> Iterator[Path]:
        return left.records(self._sandboxes)

    def free_leases(self) -> None:
        """A lease is taken after the record is made, and given back before that goes."""
        for folder in left.files(self._leases):
            for lease, owner in Leases(folder).owners():
                if not (self._sandboxes / owner).exists():
                    lease.unlink(missing_ok=True)


def _undo(path: Path, descriptor: int) -> None:
    """Carries out a dead holding's teardown; a half-written one has nothing behind it yet.

    Raises ``OSError``, and ``ForeignVersion``: a later moby's record is left for that one.
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
