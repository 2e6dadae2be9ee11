"""The firewall between the bridges and other interfaces: nftables tables of the engine's own, beside the firewall of the host.

An engine has one table for each IP version, called ``moby``. A network is a few elements in the table's sets, a published port is one element
in one of its maps. To add or remove a network or port changes single elements by their keys and no rule: it takes the same time however many
there are, and the message that withdraws a port is written before the container starts.

The chains, in the order in which a packet passes them:

* ``guard`` drops packets from a bridge that have a loopback address. The engine sets ``route_localnet`` on bridges, so that 127.0.0.1:PORT
  reaches a container; without this chain a container would then reach the loopback interface of the host (CVE-2020-8558).
* ``prerouting`` and ``output`` jump to ``publish``, which translates the destination of packets for an address of this host, by the maps.
  A loopback address is translated only in packets that this host has made: otherwise a neighbour on the wire would reach ports that are
  published on 127.0.0.1 alone. Packets for [::1] are not translated, since IPv6 cannot route them to a bridge.
* ``forward`` jumps first to ``user``, which has the user's own rules and is never changed here, then to ``inbound``. Into a bridge pass:
  packets for a published port, answers, packets from an admitted interface (the bridge itself, unless ``enable_icc`` is false), and all
  packets for a network that is open to direct routing. No packet enters or leaves an internal network.
* ``postrouting`` gives packets that leave a bridge's subnet the address of ``host_ipv4``, or masquerades them. It also masquerades packets
  whose answers would not come back through this host: those to a published port from 127.0.0.1 or from the same bridge (hairpin).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from moby_tui.engine.kernel.network import nftables as nft
from moby_tui.engine.kernel.network import rule_expressions as rule
from moby_tui.engine.kernel.network.generation import generation
from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, messages, open_socket, request, send
from moby_tui.engine.resources.networks.bridge_options import BridgeOptions
from moby_tui.engine.resources.networks.ports import PROTOCOLS
from moby_tui.engine.resources.networks.seen import Seen
from moby_tui.engine.store.digest import sha256

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

VERSIONS = {4: nft.IPV4, 6: nft.IPV6}

_ANY, _BY_ADDRESS, _ROUTED = "published", "published-at", "published-routed"
_BRIDGES, _ADMITTED, _INTERNAL, _OPEN, _MASQUERADED = "bridges", "admitted", "internal", "open", "masqueraded"
_SOURCES = "sources"
_LOOPBACK = {4: ipaddress.ip_network("127.0.0.0/8"), 6: ipaddress.ip_network("::1/128")}
USER_CHAIN = "user"
_MARK = "ruleset-"
_ABSENT = (errno.ENOENT,)


class Publication(msgspec.Struct, frozen=True):
    """A port of the host that is translated to a port of a container.

    ``host`` is the address of the host; the unspecified one stands for all. It is None on a network whose containers are reached by their own
    addresses: then no address is translated, and the port is only let through.
    """

    protocol: str
    host: Address | None
    host_port: int
    container: Address
    container_port: int

    @property
    def version(self) -> int:
        return self.container.version

    @property
    def set(self) -> str:
        """The name of the set or map in which this port is an element."""
        if self.host is None:
            return _ROUTED
        return _ANY if self.host.is_unspecified else _BY_ADDRESS

    def key(self, table: nft.Table) -> bytes:
        """The key of the element in ``set``."""
        number = PROTOCOLS[self.protocol]
        if self.host is None:
            return table.port_key(number, self.container_port, self.container)
        return table.port_key(number, self.host_port, None if self.host.is_unspecified else self.host)


class Firewall:
    """The tables of one engine. ``seen`` is the note of when they were last found as they should be."""

    def __init__(self, table: str, seen: Seen) -> None:
        self.name = table
        self.seen = seen
        self._tables = {version: nft.Table(family, table) for version, family in VERSIONS.items()}

    def is_built(self, version: int) -> bool:
        """True if the table exists with the rules of this version of moby, and with no others. Raises ``OSError``.

        ``build`` adds an empty chain whose name is a digest: of the rules as they were sent, and of the rules as the kernel lists them.
        The digest is another if another version of moby has built the table, or if another program has changed it.
        """
        table = self._tables[version]
        with open_socket(NETLINK_NETFILTER) as link:
            try:
                request(link, table.get_chain(_mark(table, version, _rules_in_kernel(link, table))))
            except FileNotFoundError:
                return False
        return True

    def elements(self, version: int) -> frozenset[tuple[str, bytes]]:
        """The elements that the table has: pairs of the name of a set or map, and a key.

        Raises ``OSError``; ENOENT if a set does not exist.
        """
        table = self._tables[version]
        with open_socket(NETLINK_NETFILTER) as link:
            answers = [answer for name in _sets(table) for answer in request(link, table.list_elements(name))]
        return frozenset(element for answer in answers for element in nft.elements_of(answer))

    def wanted(self, version: int, networks: Iterable[BridgeOptions], published: Iterable[bytes]) -> frozenset[tuple[str, bytes]]:
        """The elements, as ``elements`` returns them, that the table should have for these networks and these messages that publish ports."""
        table = self._tables[version]
        parts = [part for network in networks for part in _membership(table, version, network, add=True)]
        bodies = [body for part in (*parts, *published) for _, _, body in messages(part)]
        return frozenset(element for body in bodies for element in nft.elements_of(body))

    def build(self, version: int, networks: Iterable[BridgeOptions], published: Iterable[bytes]) -> None:
        """Replaces the table in one transaction by one with the elements of these networks and of these messages that publish ports.

        The chain ``user`` keeps its rules. Raises ``OSError``.
        """
        table = self._tables[version]
        marks = [chain for name, chain in self._chains(table) if name == table.name and chain.startswith(_MARK)]
        members = [part for network in networks for part in _membership(table, version, network, add=True)]
        with open_socket(NETLINK_NETFILTER) as link:
            # a transaction of its own: the kernel does not wake a dormant table and delete its chains in one
            request(link, nft.batch(table.create()))
            request(link, nft.batch(*_clear(table, marks), *_rules(table, version), *members, *published))
            request(link, nft.batch(table.new_chain(_mark(table, version, _rules_in_kernel(link, table)))))

    def add(self, network: BridgeOptions) -> None:
        """Adds the elements of a network to each table that exists: one without IPv6 is kept apart from others there too. The tables of its
        own IP versions must exist (``build``). Raises ``OSError``."""
        for version, table in self._tables.items():
            if version == 4 or any(subnet.version == version for subnet in network.subnets) or _exists(table):
                send(NETLINK_NETFILTER, nft.batch(*_membership(table, version, network, add=True)))

    def remove(self, network: BridgeOptions) -> None:
        """Deletes the elements of a network. A missing table or element is no error. Raises ``OSError``.

        All elements of a table are deleted in one transaction, since the kernel waits at the end of each transaction, even of one that fails,
        until no packet uses what was deleted. A transaction fails as a whole: if one element is missing, each is deleted in a transaction
        of its own.
        """
        for version, table in self._tables.items():
            if not _exists(table):
                continue
            parts = _membership(table, version, network, add=False)
            if not _send_unless_absent(nft.batch(*parts)):
                for part in parts:
                    _send_unless_absent(nft.batch(part))

    # published ports

    def publishing(self, publications: list[Publication]) -> dict[int, list[bytes]]:
        """The netlink messages that publish ports, for each IP version, without the frame of a batch."""
        parts: dict[int, list[bytes]] = {}
        for version, name, members in _by_set(publications):
            table = self._tables[version]
            if name == _ROUTED:
                part = table.add_keys(name, [member.key(table) for member in members])
            else:
                values = [(p.key(table), table.port_value(p.container, p.container_port)) for p in members]
                part = table.add_pairs(name, values)
            parts.setdefault(version, []).append(part)
        return parts

    def withdrawing(self, publications: list[Publication]) -> bytes:
        """The batch of netlink messages that undoes ``publishing``."""
        tables = self._tables
        return nft.batch(
            *(tables[v].delete_keys(name, [p.key(tables[v]) for p in members]) for v, name, members in _by_set(publications))
        )

    def publish(self, publications: list[Publication]) -> None:
        """Publishes ports. The caller has bound their sockets and written their records.

        Raises ``OSError``; EEXIST or EBUSY if a map has an element with the same key and another value.
        """
        batches = [nft.batch(*parts) for parts in self.publishing(publications).values()]
        before = generation()
        for batch in batches:
            send(NETLINK_NETFILTER, batch)
        # the only changes since the note was written are those made here: the tables are still as they should be
        if self.seen.read() == before and generation() == before + len(batches):
            self.seen.write(before + len(batches))
        for publication in publications:
            if publication.protocol == "udp":
                _forget_flows(publication)

    def drop(self, publications: list[Publication]) -> None:
        """Deletes the elements that have the keys of these ports, one by one, whatever their values are. Raises ``OSError``."""
        for publication in publications:
            _send_unless_absent(self.withdrawing([publication]))

    def _chains(self, table: nft.Table) -> Iterator[tuple[str, str]]:
        with open_socket(NETLINK_NETFILTER) as link:
            for answer in request(link, table.list_chains()):
                yield nft.chain_of(answer)


# ---- the rules


_CHAINS = {
    "guard": nft.Hook("filter", nft.PREROUTING, nft.PRIORITY_RAW),
    "prerouting": nft.Hook("nat", nft.PREROUTING, nft.PRIORITY_DSTNAT),
    "output": nft.Hook("nat", nft.OUTPUT, nft.PRIORITY_DSTNAT),
    "forward": nft.Hook("filter", nft.FORWARD, nft.PRIORITY_FILTER),
    "postrouting": nft.Hook("nat", nft.POSTROUTING, nft.PRIORITY_SRCNAT),
    "publish": None,
    "inbound": None,
}


def _mark(table: nft.Table, version: int, in_kernel: bytes) -> str:
    """The name of the chain that says which rules the table was built with (``Firewall.is_built``)."""
    rules = b"".join(_rules(nft.Table(table.family.number, ""), version))
    return f"{_MARK}{sha256(rules + in_kernel).hexdigest()[:12]}"


def _rules_in_kernel(link: socket.socket, table: nft.Table) -> bytes:
    """The table's chains and rules as the kernel lists them, without those of the chain ``user``. Raises ``OSError``; ENOENT if a chain is
    missing."""
    dormant = [nft.is_dormant(answer) for answer in request(link, table.get())]
    bases = [nft.base_of(answer) for answer in request(link, b"".join(map(table.get_chain, _CHAINS)))]
    rules = [rule for rule in map(nft.rule_of, request(link, table.list_rules())) if rule[0] != USER_CHAIN]
    return repr((dormant, bases, rules)).encode()


def _sets(table: nft.Table) -> dict[str, bytes]:
    return {
        _BRIDGES: table.new_name_set(_BRIDGES),
        _ADMITTED: table.new_name_pair_set(_ADMITTED),
        _INTERNAL: table.new_name_set(_INTERNAL),
        _OPEN: table.new_name_set(_OPEN),
        _MASQUERADED: table.new_subnet_set(_MASQUERADED),
        _SOURCES: table.new_source_map(_SOURCES),
        _ROUTED: table.new_port_set(_ROUTED),
        _ANY: table.new_port_map(_ANY, by_address=False),
        _BY_ADDRESS: table.new_port_map(_BY_ADDRESS, by_address=True),
    }


def _clear(table: nft.Table, marks: Iterable[str]) -> list[bytes]:
    """The messages that delete all chains and sets of a table, except the chain ``user``, whichever version of moby has made them.

    Each is created before it is deleted, since a transaction that deletes a missing one fails as a whole.
    """
    sets = _sets(table)
    return [
        table.create(),
        table.new_chain(USER_CHAIN),
        *(table.new_chain(chain, hook) for chain, hook in _CHAINS.items()),
        *(table.flush_chain(chain) for chain in _CHAINS),
        *(table.delete_chain(chain) for chain in (*_CHAINS, *marks)),
        *sets.values(),
        *(table.delete_set(name) for name in sets),
    ]


def _rules(table: nft.Table, version: int) -> list[bytes]:
    packet = rule.Packet(table.family)
    dnat = rule.connection_status(rule.STATUS_DNAT)
    from_bridge, to_bridge = rule.input_interface_in_set(_BRIDGES), rule.output_interface_in_set(_BRIDGES)
    outward, from_ours = rule.output_interface_in_set(_BRIDGES, negate=True), packet.source_in_set(_MASQUERADED)
    loopback = _LOOPBACK[version]
    # packets for [::1] cannot be routed to a bridge; they reach the socket that is bound to the port (``ports``)
    from_here = [packet.destination_in(loopback, negate=True)] if version == 6 else []
    return [
        *_sets(table).values(),
        table.new_chain(USER_CHAIN),
        *(table.new_chain(chain, hook) for chain, hook in _CHAINS.items()),
        table.new_rule("guard", from_bridge, packet.destination_in(loopback), rule.verdict(nft.DROP)),
        table.new_rule("guard", from_bridge, packet.source_in(loopback), rule.verdict(nft.DROP)),
        table.new_rule("publish", packet.translate_by_map(_BY_ADDRESS, by_address=True)),
        table.new_rule("publish", packet.translate_by_map(_ANY, by_address=False)),
        table.new_rule("prerouting", packet.destination_in(loopback, negate=True), rule.to_local_address(), rule.jump("publish")),
        table.new_rule("output", *from_here, rule.to_local_address(), rule.jump("publish")),
        table.new_rule("forward", rule.jump(USER_CHAIN)),
        table.new_rule("forward", rule.interfaces_in_set(_ADMITTED), rule.verdict(nft.ACCEPT)),
        table.new_rule("forward", rule.input_interface_in_set(_INTERNAL), rule.verdict(nft.DROP)),
        table.new_rule("forward", to_bridge, rule.jump("inbound")),
        table.new_rule("inbound", rule.connection_state(rule.ESTABLISHED | rule.RELATED), rule.verdict(nft.ACCEPT)),
        table.new_rule("inbound", rule.output_interface_in_set(_INTERNAL), rule.verdict(nft.DROP)),
        table.new_rule("inbound", dnat, rule.verdict(nft.ACCEPT)),
        table.new_rule("inbound", rule.output_interface_in_set(_OPEN), rule.verdict(nft.ACCEPT)),
        table.new_rule("inbound", packet.destination_in_port_set(_ROUTED), rule.verdict(nft.ACCEPT)),
        table.new_rule("inbound", rule.verdict(nft.DROP)),
        table.new_rule("postrouting", outward, packet.translate_source_by_map(_SOURCES)),
        table.new_rule("postrouting", outward, from_ours, rule.masquerade()),
        table.new_rule("postrouting", to_bridge, dnat, from_ours, rule.masquerade()),
        table.new_rule("postrouting", to_bridge, dnat, packet.source_in(loopback), rule.masquerade()),
    ]


def _membership(table: nft.Table, version: int, network: BridgeOptions, *, add: bool) -> list[bytes]:
    """The messages that add or delete the elements of a network, one for each set."""
    name = network.interface
    pairs = [(trusted, name) for trusted in network.trusted] + ([(name, name)] if network.icc else [])
    keys = {
        _BRIDGES: [nft.name_key(name)],
        _ADMITTED: [nft.name_key(*pair) for pair in pairs],
        _INTERNAL: [nft.name_key(name)] if network.internal else [],
        _OPEN: [nft.name_key(name)] if network.mode(version) == "nat-unprotected" else [],
    }
    parts = [(table.add_keys if add else table.delete_keys)(which, members) for which, members in keys.items() if members]
    subnets = [subnet for subnet in network.subnets if subnet.version == version]
    if subnets and network.masquerades(version):
        parts.append((table.add_subnets if add else table.delete_subnets)(_MASQUERADED, subnets))
        if source := network.sources.get(version):
            parts.append(table.add_sources(_SOURCES, source, subnets) if add else table.delete_subnets(_SOURCES, subnets))
    return parts


def _forget_flows(publication: Publication) -> None:
    """Deletes the connection tracking entries of a UDP port: packets of a flow that has begun before would still be translated to the
    container that had the port before.

    Without ctnetlink in the kernel nothing is deleted: such a flow goes to the new container after some minutes without a packet.
    """
    host = publication.host
    if host is None or host.version != 4:
        return
    with suppress(OSError):
        from moby_tui.engine.kernel.network import conntrack

        conntrack.forget(PROTOCOLS[publication.protocol], publication.host_port, b"" if host.is_unspecified else host.packed)


def _exists(table: nft.Table) -> bool:
    """True if the kernel has the table. Raises ``OSError``."""
    return _send_unless_absent(table.get())


def _send_unless_absent(data: bytes) -> bool:
    """Sends messages. Returns False if a table, set or element that they name does not exist. Raises ``OSError``."""
    try:
        send(NETLINK_NETFILTER, data)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return False
    return True


def _by_set(publications: list[Publication]) -> list[tuple[int, str, list[Publication]]]:
    """The ports grouped by IP version and set."""
    groups: dict[tuple[int, str], list[Publication]] = {}
    for publication in publications:
        groups.setdefault((publication.version, publication.set), []).append(publication)
    return [(version, name, members) for (version, name), members in groups.items()]
