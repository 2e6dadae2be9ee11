"""What blocks or breaks the traffic of containers on this host: each check is one function, and says what to do. Blocks."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.kernel.network import nftables as nft
from moby_tui.engine.kernel.network import ruleset
from moby_tui.engine.resources.networks import bridge_options, files, host
from moby_tui.engine.resources.networks.bridge_options import BridgeOptions
from moby_tui.engine.resources.networks.drivers.bridge import exists, is_up
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.schema.traffic import Finding

_SYSCTL = Path("/proc/sys/net")
_FAMILIES = {4: ("inet", "ip"), 6: ("inet", "ip6")}
_STRICT = 1


class Ward(msgspec.Struct, kw_only=True):
    """What is looked at: the networks, the containers in each by its id, and what is wrong with our own tables, named ``table``."""

    networks: list[NetworkRecord]
    members: dict[str, list[str]]
    table: str
    tables: list[str]

    @property
    def bridges(self) -> list[tuple[NetworkRecord, BridgeOptions]]:
        return [(network, bridge_options.read(network)) for network in self.networks if network.driver == "bridge"]

    @property
    def outward(self) -> list[BridgeOptions]:
        """The bridges by which something goes in and out."""
        return [options for _, options in self.bridges if not options.internal]


def examine(ward: Ward) -> list[Finding]:
    """Everything that was found, what breaks most first. Raises ``OSError``."""
    return [
        *_forwarding(ward),
        *_own_tables(ward),
        *_other_firewalls(ward),
        *_links(ward),
        *_parents(ward),
        *_routes(ward),
        *_bridge_filter(ward),
        *_loopback(ward),
        *_resolvers(),
        *_reverse_path(ward),
    ]


def _forwarding(ward: Ward) -> Iterator[Finding]:
    present = [options for options in ward.outward if exists(options.interface)]
    six = any(subnet.version == 6 for options in present for subnet in options.subnets)
    for name, needed in (("ipv4/ip_forward", bool(present)), ("ipv6/conf/all/forwarding", six)):
        if needed and _sysctl(name) == 0:
            key = f"net.{name.replace('/', '.')}"
            yield Finding(
                about="forwarding",
                message=f"{key} is 0: nothing passes between containers and the world",
                advice=f"sysctl -w {key}=1, and look which file of /etc/sysctl.d sets it to 0",
            )


def _own_tables(ward: Ward) -> Iterator[Finding]:
    for text in ward.tables:
        yield Finding(
            about="table",
            message=f"{text}: published ports, isolation and masquerade do not work as they should",
            advice="any command that starts or lists puts it right (moby ps); look which program flushes it",
        )


def _other_firewalls(ward: Ward) -> Iterator[Finding]:
    """Every base chain at the forward hook must let a packet pass: what one of them drops, no other can accept."""
    all_rules = ruleset.rules()
    for chain in ruleset.base_chains():
        if chain.hook != nft.FORWARD or chain.kind != "filter" or chain.table == ward.table:
            continue
        own = [rule for rule in all_rules if (rule.family, rule.table) == (chain.family, chain.table)]
        refusing = [rule for rule in own if rule.chain == chain.name][-1:]
        how = "has the policy drop" if chain.drops else "ends by refusing everything" if _refuses(refusing) else ""
        blocked = [name for name in _interfaces_of(ward, chain.family) if not any(rule.names(name) for rule in own)]
        if how and blocked:
            yield Finding(
                about="firewall",
                message=f"chain {chain.name} of table {chain.family} {chain.table} {how}{_owner(own)}: it drops what goes to and from "
                + ", ".join(blocked),
                advice=_admission(chain, own, blocked[0]),
            )


def _refuses(rules: Iterable[ruleset.Rule]) -> bool:
    return any(rule.refuses_all for rule in rules)


def _interfaces_of(ward: Ward, family: str) -> list[str]:
    versions = [version for version, families in _FAMILIES.items() if family in families]
    return [options.interface for options in ward.outward if any(subnet.version in versions for subnet in options.subnets)]


def _owner(rules: list[ruleset.Rule]) -> str:
    tables, chains = {rule.table for rule in rules}, {rule.chain for rule in rules}
    if "firewalld" in tables:
        return " (firewalld)"
    if any(chain.startswith("ufw") for chain in chains):
        return " (ufw)"
    return " (Docker)" if any(chain.startswith("DOCKER") for chain in chains) else ""


def _admission(chain: ruleset.BaseChain, rules: list[ruleset.Rule], bridge: str) -> str:
    """How the owner of a chain is told to let a bridge's traffic pass."""
    owner = _owner(rules).strip(" ()")
    if owner == "firewalld":
        return f"firewall-cmd --permanent --zone=trusted --add-interface={bridge} && firewall-cmd --reload"
    if owner == "ufw":
        return f"ufw route allow in on {bridge} && ufw route allow out on {bridge}"
    if owner == "Docker":
        return f"iptables -I DOCKER-USER -i {bridge} -j ACCEPT && iptables -I DOCKER-USER -o {bridge} -j ACCEPT"
    where = f"{chain.family} {chain.table} {chain.name}"
    return f"nft insert rule {where} iifname {bridge} accept && nft insert rule {where} oifname {bridge} accept"


def _links(ward: Ward) -> Iterator[Finding]:
    for network, options in ward.bridges:
        used = len(ward.members.get(network.id, ()))
        if not exists(options.interface):
            if used:
                yield Finding(
                    about="link",
                    message=f"bridge {options.interface} of network {network.name} is gone: {used} of its containers are cut off",
                    advice="restart these containers: moby restart makes the bridge anew",
                )
        elif not is_up(options.interface):
            yield Finding(
                about="link",
                message=f"bridge {options.interface} of network {network.name} is down",
                advice=f"ip link set {options.interface} up",
            )


def _parents(ward: Ward) -> Iterator[Finding]:
    for network in ward.networks:
        parent = network.options.get("parent", "")
        if network.driver in ("macvlan", "ipvlan") and parent and not (exists(parent) and is_up(parent)):
            state = "down" if exists(parent) else "gone"
            yield Finding(
                about="link",
                message=f"interface {parent}, which network {network.name} is on, is {state}",
                advice=f"ip link set {parent} up" if state == "down" else f"bring {parent} back, or remove the network",
            )


def _routes(ward: Ward) -> Iterator[Finding]:
    ours = {options.interface for _, options in ward.bridges}
    seen = set()
    for route in host.routes():
        interface = _name_of(route.interface)
        if not route.destination.prefixlen or not interface or interface in ours or interface == "lo":
            continue
        for network, options in ward.bridges:
            for subnet in options.subnets:
                pair = (subnet, interface)
                if subnet.version == route.destination.version and subnet.overlaps(route.destination) and pair not in seen:
                    seen.add(pair)
                    yield Finding(
                        about="subnet",
                        message=f"subnet {subnet} of network {network.name} overlaps the host's route to {route.destination} "
                        f"by {interface}: one of the two is not reached",
                        advice="make the network anew with another --subnet, or give the daemon a --default-address-pool",
                    )


def _bridge_filter(ward: Ward) -> Iterator[Finding]:
    shy = [network.name for network, options in ward.bridges if not options.icc and exists(options.interface)]
    if shy and _sysctl("bridge/bridge-nf-call-iptables") != 1:
        yield Finding(
            about="br_netfilter",
            message=f"frames between containers of one network are not filtered: enable_icc=false of {', '.join(shy)} has no effect",
            advice="modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1",
        )


def _loopback(ward: Ward) -> Iterator[Finding]:
    for options in ward.outward:
        if exists(options.interface) and _sysctl(f"ipv4/conf/{options.interface}/route_localnet") == 0:
            yield Finding(
                about="loopback",
                message=f"route_localnet of {options.interface} is 0: ports published on it are not reached at 127.0.0.1",
                advice=f"sysctl -w net.ipv4.conf.{options.interface}.route_localnet=1",
            )


def _resolvers() -> Iterator[Finding]:
    if not files.host_servers():
        yield Finding(
            about="resolvers",
            message=f"/etc/resolv.conf names no server: containers ask {' and '.join(files.PUBLIC_SERVERS)}",
            advice="write a nameserver line into /etc/resolv.conf, or give --dns",
        )


def _reverse_path(ward: Ward) -> Iterator[Finding]:
    """Its answers leave by the network of the default route, with another network's address: what the strict check drops."""
    several = {container for container, places in _places(ward).items() if places > 1}
    for network, options in ward.bridges:
        strict = max(_sysctl(f"ipv4/conf/{name}/rp_filter") for name in ("all", options.interface)) == _STRICT
        if strict and several & {*ward.members.get(network.id, ())}:
            yield Finding(
                about="rp_filter",
                message=f"rp_filter of {options.interface} is strict: answers of a container in several networks may be dropped",
                advice=f"sysctl -w net.ipv4.conf.{options.interface}.rp_filter=2 (and .all, where it is 1)",
                severity="warning",
            )


def _places(ward: Ward) -> Counter[str]:
    return Counter(container for network, _ in ward.bridges for container in ward.members.get(network.id, ()))


def _sysctl(name: str) -> int:
    """A parameter of this network namespace; -1 if the kernel has none."""
    with suppress(OSError, ValueError):
        return int((_SYSCTL / name).read_text())
    return -1


def _name_of(index: int) -> str:
    with suppress(OSError):
        return socket.if_indextoname(index) if index else ""
    return ""
