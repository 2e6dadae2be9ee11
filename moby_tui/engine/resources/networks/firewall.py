"""What passes between a bridge and the world: our own nftables table, beside whatever firewall the host has.

One table per engine (``moby``), in which every published port is an element of a map. Publishing and its undoing therefore
touch single elements by key, never a rule, and the undoing can be prepared as bytes before the container starts.

The chains, in the order in which a packet meets them:

* ``guard``: drops what comes *from* the bridge with a loopback address. The bridge needs ``route_localnet``, so that
  127.0.0.1:PORT reaches a container; without this chain it would let a container reach the host's loopback (CVE-2020-8558).
* ``prerouting``, ``output`` -> ``publish``: destination NAT for packets to an address of this host, by the maps. Loopback
  addresses count only for packets made here: else a neighbour on the wire reached ports published on 127.0.0.1 alone.
* ``forward`` -> ``inbound``: into the bridge goes only what was published, was asked for, or comes from the bridge itself.
* ``postrouting``: masquerades what leaves the bridge's subnet, and what would otherwise be answered past this host: published
  ports reached from 127.0.0.1 or from the same bridge (hairpin).
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

import msgspec

from moby_tui.engine.kernel import conntrack
from moby_tui.engine.kernel import nftables as nft
from moby_tui.engine.kernel.netlink import NETLINK_NETFILTER, send

_ANY, _BY_ADDRESS = "published", "published-at"
_LOOPBACK = IPv4Network("127.0.0.0/8")
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


class Publication(msgspec.Struct, frozen=True):
    """A port of the host that leads to a port of a container. ``host`` 0.0.0.0 is every address of the host."""

    protocol: str
    host: IPv4Address
    host_port: int
    container: IPv4Address
    container_port: int

    @property
    def map(self) -> str:
        return _ANY if self.host.is_unspecified else _BY_ADDRESS

    @property
    def key(self) -> bytes:
        return nft.port_key(PROTOCOLS[self.protocol], self.host_port, b"" if self.host.is_unspecified else self.host.packed)

    @property
    def value(self) -> bytes:
        return nft.port_value(self.container.packed, self.container_port)


class Firewall:
    """The table of one engine and its bridge."""

    def __init__(self, table: str, bridge: str, subnet: IPv4Network) -> None:
        self._table = table
        rules = self._rules(bridge, subnet)
        self._mark = f"ruleset-{hashlib.sha256(b''.join(rules)).hexdigest()[:12]}"
        self._ruleset = [*rules, nft.new_chain(table, self._mark)]

    def is_built(self) -> bool:
        """Whether the table stands, with just these rules: an empty chain bears the name of their digest. Raises ``OSError``."""
        try:
            send(NETLINK_NETFILTER, nft.get_chain(self._table, self._mark))
        except FileNotFoundError:
            return False
        return True

    def build(self, published: Iterable[bytes]) -> None:
        """Makes the table anew in one transaction, with the messages that publish the ports in use. Raises ``OSError``."""
        send(
            NETLINK_NETFILTER,
            nft.batch(
                nft.new_table(self._table),
                nft.delete_table(self._table),
                nft.new_table(self._table),
                *self._ruleset,
                *published,
            ),
        )

    def publishing(self, publications: list[Publication]) -> list[bytes]:
        """The messages that publish ports, to be sent in a batch."""
        return [
            nft.add_elements(self._table, name, [(p.key, p.value) for p in members]) for name, members in _by_map(publications)
        ]

    def withdrawing(self, publications: list[Publication]) -> bytes:
        """The batch that undoes ``publishing``."""
        return nft.batch(
            *(nft.delete_elements(self._table, name, [p.key for p in members]) for name, members in _by_map(publications))
        )

    def publish(self, publications: list[Publication]) -> None:
        """Publishes ports whose sockets the caller holds. Raises ``OSError``; EEXIST or EBUSY where a map has others."""
        send(NETLINK_NETFILTER, nft.batch(*self.publishing(publications)))
        for publication in publications:
            if publication.protocol == "udp":
                _forget_flows(publication)

    def drop(self, publications: list[Publication]) -> None:
        """Deletes whatever the maps have for these ports, one by one. Raises ``OSError``."""
        for publication in publications:
            with suppress(FileNotFoundError):
                send(NETLINK_NETFILTER, self.withdrawing([publication]))

    def _rules(self, bridge: str, subnet: IPv4Network) -> list[bytes]:
        table = self._table
        from_bridge, to_bridge = nft.input_interface(bridge), nft.output_interface(bridge)
        from_subnet = nft.address_in(nft.SOURCE, subnet.network_address.packed, subnet.netmask.packed)
        dnat = nft.connection_status(nft.STATUS_DNAT)
        return [
            nft.new_port_map(table, _ANY, by_address=False),
            nft.new_port_map(table, _BY_ADDRESS, by_address=True),
            nft.new_chain(table, "guard", nft.Hook("filter", nft.PREROUTING, nft.PRIORITY_RAW)),
            nft.new_rule(table, "guard", from_bridge, _loopback(nft.DESTINATION), nft.verdict(nft.DROP)),
            nft.new_rule(table, "guard", from_bridge, _loopback(nft.SOURCE), nft.verdict(nft.DROP)),
            nft.new_chain(table, "publish"),
            nft.new_rule(table, "publish", nft.translate_by_map(_BY_ADDRESS, by_address=True)),
            nft.new_rule(table, "publish", nft.translate_by_map(_ANY, by_address=False)),
            nft.new_chain(table, "prerouting", nft.Hook("nat", nft.PREROUTING, nft.PRIORITY_DSTNAT)),
            nft.new_rule(
                table, "prerouting", _loopback(nft.DESTINATION, negate=True), nft.to_local_address(), nft.jump("publish")
            ),
            nft.new_chain(table, "output", nft.Hook("nat", nft.OUTPUT, nft.PRIORITY_DSTNAT)),
            nft.new_rule(table, "output", nft.to_local_address(), nft.jump("publish")),
            nft.new_chain(table, "inbound"),
            nft.new_rule(table, "inbound", nft.connection_state(nft.ESTABLISHED | nft.RELATED), nft.verdict(nft.ACCEPT)),
            nft.new_rule(table, "inbound", dnat, nft.verdict(nft.ACCEPT)),
            nft.new_rule(table, "inbound", from_bridge, nft.verdict(nft.ACCEPT)),
            nft.new_rule(table, "inbound", nft.verdict(nft.DROP)),
            nft.new_chain(table, "forward", nft.Hook("filter", nft.FORWARD, nft.PRIORITY_FILTER)),
            nft.new_rule(table, "forward", to_bridge, nft.jump("inbound")),
            nft.new_chain(table, "postrouting", nft.Hook("nat", nft.POSTROUTING, nft.PRIORITY_SRCNAT)),
            nft.new_rule(table, "postrouting", nft.output_interface(bridge, negate=True), from_subnet, nft.masquerade()),
            nft.new_rule(table, "postrouting", to_bridge, dnat, from_subnet, nft.masquerade()),
            nft.new_rule(table, "postrouting", to_bridge, dnat, _loopback(nft.SOURCE), nft.masquerade()),
        ]


def _forget_flows(publication: Publication) -> None:
    """A UDP flow has no end that could be seen: one that still comes in would be led to where the port led before.

    Advisory: without ctnetlink in the kernel such a flow must pause for some minutes.
    """
    address = b"" if publication.host.is_unspecified else publication.host.packed
    with suppress(OSError):
        conntrack.forget(PROTOCOLS[publication.protocol], publication.host_port, address)


def _loopback(field: int, *, negate: bool = False) -> bytes:
    return nft.address_in(field, _LOOPBACK.network_address.packed, _LOOPBACK.netmask.packed, negate=negate)


def _by_map(publications: list[Publication]) -> list[tuple[str, list[Publication]]]:
    groups = ((name, [p for p in publications if p.map == name]) for name in (_ANY, _BY_ADDRESS))
    return [(name, members) for name, members in groups if members]
