"""The face of a network driver, and what the manager hands to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import ClassVar, Protocol

import msgspec

from moby_tui.engine.protocol.network import TeardownStep
from moby_tui.engine.store.records.networks import NetworkRecord

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Steps that undo something, for ``kernel.netlink.run_teardown``.
Teardown = list[TeardownStep]


class Endpoint(msgspec.Struct, kw_only=True):
    """One container's place in one network: the interface that it gets there."""

    container_id: str
    id: str
    #: the interface's name inside the container
    interface: str
    mac: bytes
    addresses: list[Interface] = msgspec.field(default_factory=list)
    link_local: list[Interface] = msgspec.field(default_factory=list)
    #: for each IP version, the gateway of the network
    gateways: dict[int, Address] = msgspec.field(default_factory=dict)
    #: the IP versions whose default route leads to the gateway of this network
    default_routes: Collection[int] = (4, 6)
    #: kernel parameters of the interface: ``net.ipv4.conf.IFNAME.log_martians`` to ``1``
    sysctls: dict[str, str] = msgspec.field(default_factory=dict)

    def address(self, version: int) -> Interface | None:
        """The address of one IP version, if it has one."""
        return next((address for address in self.addresses if address.version == version), None)


class Driver(Protocol):
    """One kind of network. All methods block; they are called on threads, in the host's network namespace.

    ``teardown_of`` is asked before ``attach`` and written down first, so that a process that is killed in between leaves nothing that
    nobody can undo.
    """

    #: as ``--driver`` and ``inspect`` have it
    name: ClassVar[str]
    #: whether its containers have addresses that we choose
    has_addresses: ClassVar[bool]

    def check(self, network: NetworkRecord) -> None:
        """Raises ``InvalidArgument`` for options that the driver does not take, ``Forbidden`` for what cannot be made on this host.

        It and ``create`` may note among the network's options whose an interface of the host is (``store/records/networks.py: NOTE``).
        """

    def create(self, network: NetworkRecord) -> None:
        """Makes what the network needs on the host. Raises ``OSError`` and ``MobyError``, with nothing left behind."""

    def delete(self, network: NetworkRecord) -> None:
        """Undoes ``create``; what is gone already is no error."""

    def teardown_of(self, network: NetworkRecord, endpoint: Endpoint) -> Teardown:
        """How to undo ``attach``."""

    def attach(self, network: NetworkRecord, endpoint: Endpoint, namespace: int) -> None:
        """Puts the endpoint's interface into a network namespace, with its addresses and, where it is the gateway, the default routes."""

    def restore(self, networks: Iterable[NetworkRecord]) -> None:
        """Makes again what a reboot or somebody else took away, of all networks of this driver."""
