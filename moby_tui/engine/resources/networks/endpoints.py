"""A container's places in its networks: which one its default route leads through, its interfaces' names, addresses and parameters."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moby_tui.engine.resources.networks import bridge_options
from moby_tui.engine.resources.networks.drivers.driver import Address, Endpoint, Interface, Subnet
from moby_tui.engine.resources.networks.leases import Leases
from moby_tui.engine.store.records.containers import EndpointSettings
from moby_tui.engine.store.records.networks import IpamPool, NetworkRecord
from moby_tui.errors import InvalidArgument

#: The auxiliary address, with the IP version behind it, to which default routes lead in place of the bridge (dockerd's name).
DEFAULT_GATEWAY = "DefaultGatewayIPv"
_SYSCTLS, _IFNAME = "com.docker.network.endpoint.sysctls", "com.docker.network.endpoint.ifname"
_DEFAULT_BRIDGE = "bridge"


class Place(NamedTuple):
    """A network that a container is to be in, and what was asked of its place there."""

    network: NetworkRecord
    asked: EndpointSettings


class Called(NamedTuple):
    """A container and what it is called."""

    id: str
    name: str
    hostname: str


def is_user_defined(network: NetworkRecord) -> bool:
    return network.name not in (_DEFAULT_BRIDGE, "host", "none")


def gateway_of(places: Iterable[Place]) -> Place | None:
    """The network that the default route leads through: the highest priority, then the first by name; an internal one is none."""
    able = [place for place in places if not place.network.internal and place.network.driver not in ("null", "host")]
    return min(able, key=lambda place: (-place.asked.gw_priority, place.network.name), default=None)


def check(place: Place) -> None:
    """Raises ``InvalidArgument`` with all that the network cannot give. The texts are the Docker Engine's."""
    links_of(place)
    if place.asked.mac_address:
        parse_mac(place.asked.mac_address)
    if faults := _faults(place):
        raise InvalidArgument("invalid endpoint settings:\n" + one_or_list(faults))


def one_or_list(faults: Sequence[str]) -> str:
    """As Go's ``errors.Join`` is shown by the Docker Engine: several become a list."""
    return faults[0] if len(faults) == 1 else "\n".join(f"* {fault}" for fault in faults)


def _faults(place: Place) -> list[str]:
    network, asked = place
    ipam = asked.ipam_config
    fixed = {4: ipam.ipv4_address, 6: ipam.ipv6_address} if ipam else {}
    wanted = {version: address for version, address in fixed.items() if address}
    faults = []
    if not is_user_defined(network):
        if wanted:
            faults.append("user specified IP address is supported on user defined networks only")
        if asked.aliases:
            faults.append("network-scoped alias is supported only for containers in user defined networks")
    faults += [f"invalid IPv{version} address: {text}" for version, text in wanted.items() if not _is_address(version, text)]
    faults += [
        f"invalid link-local IP address: {text}"
        for text in (ipam.link_local_ips or [] if ipam else [])
        if not (_is_address(4, text) or _is_address(6, text))
    ]
    for version, text in wanted.items():
        subnets = [_subnet(pool) for pool in network.ipam.config or [] if pool.subnet and not pool.is_chosen]
        own = [subnet for subnet in subnets if subnet.version == version]
        if not own:
            faults.append("user specified IP address is supported only when connecting to networks with user configured subnets")
        elif not _is_address(version, text) or not any(_parse(text) in subnet for subnet in own):
            faults.append(f"no configured subnet or ip-range contain the IP address {text}")
    return faults


def _is_address(version: int, text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def make(place: Place, container_id: str, number: int, *, is_gateway: bool) -> Endpoint:
    """A new endpoint without addresses. ``number`` counts the container's interfaces. Raises ``InvalidArgument``."""
    network, asked = place
    options = asked.driver_opts or {}
    interface = interface_name(place, number)
    return Endpoint(
        container_id=container_id,
        id=os.urandom(32).hex(),
        interface=interface,
        mac=parse_mac(asked.mac_address) if asked.mac_address else b"",
        gateways=_gateways(network),
        is_gateway=is_gateway,
        sysctls=_sysctls(options.get(_SYSCTLS, ""), interface),
    )


def interface_name(place: Place, number: int) -> str:
    """The name that was asked for, or the next one of those that the network gives."""
    network, asked = place
    prefix = bridge_options.read(network).prefix if network.driver == "bridge" else "eth"
    return (asked.driver_opts or {}).get(_IFNAME) or f"{prefix}{number}"


def lease_addresses(place: Place, endpoint: Endpoint, leases: Leases, owner: str) -> None:
    """Gives the endpoint its addresses and, where none was asked for, the hardware address that goes with them.

    What was leased before an error stays leased until the caller releases it. Raises ``MobyError``.
    """
    network, asked = place
    ipam = asked.ipam_config
    fixed = {4: ipam.ipv4_address, 6: ipam.ipv6_address} if ipam else {}
    for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6)):
        pools = [pool for pool in network.ipam.config or [] if pool.subnet and _subnet(pool).version == version]
        if enabled and pools:
            endpoint.addresses.append(_lease(pools, fixed.get(version, ""), leases, owner))
    endpoint.link_local = [ipaddress.ip_interface(f"{address}/16") for address in (ipam.link_local_ips or [])] if ipam else []
    if not endpoint.mac:
        address = endpoint.address(4)
        endpoint.mac = mac_of(address.ip) if address else random_mac()


def settings(place: Place, endpoint: Endpoint, names: list[str]) -> EndpointSettings:
    """The endpoint as ``inspect`` shows it."""
    network, asked = place
    four, six = endpoint.address(4), endpoint.address(6)
    return EndpointSettings(
        ipam_config=asked.ipam_config,
        links=asked.links,
        aliases=asked.aliases,
        driver_opts=asked.driver_opts,
        gw_priority=asked.gw_priority,
        network_id=network.id,
        endpoint_id=endpoint.id,
        mac_address=endpoint.mac.hex(":"),
        gateway=str(endpoint.gateways.get(4, "")) if four else "",
        ip_address=str(four.ip) if four else "",
        ip_prefix_len=four.network.prefixlen if four else 0,
        ipv6_gateway=str(endpoint.gateways.get(6, "")) if six else "",
        global_ipv6_address=str(six.ip) if six else "",
        global_ipv6_prefix_len=six.network.prefixlen if six else 0,
        dns_names=names or None,
    )


def of_settings(container_id: str, given: EndpointSettings) -> Endpoint:
    """The endpoint that a running container was given, as far as its addresses go."""
    four = [f"{given.ip_address}/{given.ip_prefix_len}"] if given.ip_address else []
    six = [f"{given.global_ipv6_address}/{given.global_ipv6_prefix_len}"] if given.global_ipv6_address else []
    addresses = [ipaddress.ip_interface(text) for text in (*four, *six)]
    return Endpoint(container_id=container_id, id=given.endpoint_id, interface="", mac=b"", addresses=addresses)


def names_of(place: Place, called: Called) -> list[str]:
    """What the container is called on a user-defined network: its name, its aliases, its short id and its host name."""
    if not is_user_defined(place.network):
        return []
    return list(dict.fromkeys(n for n in (called.name, *(place.asked.aliases or []), called.id[:12], called.hostname) if n))


def links_of(place: Place) -> dict[str, str]:
    """What the container calls others on a user-defined network: from each alias to the name there. Raises ``InvalidArgument``."""
    if not place.asked.links:
        return {}
    from moby_tui.engine.resources.networks import links  # few containers have any

    return links.aliases(place.asked.links)


def parse_mac(value: str) -> bytes:
    """Raises ``InvalidArgument`` unless it is the hardware address of one interface."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", value):
        raise InvalidArgument(f"invalid MAC address {value}; write it as 02:42:ac:11:00:02")
    mac = bytes.fromhex(value.replace(":", "").replace("-", ""))
    if mac[0] & 1 or not any(mac):
        raise InvalidArgument(f"invalid MAC address {value!r}; it must name one interface, not a group or none")
    return mac


def mac_of(address: Address) -> bytes:
    """A hardware address derived from the IPv4 one, so that no neighbour's cache is wrong when the address is used again."""
    return b"\x02\x42" + address.packed


def random_mac() -> bytes:
    """One of those that anybody may make up (IEEE 802, locally administered)."""
    return b"\x02\x42" + os.urandom(4)


def _lease(pools: list[IpamPool], fixed: str, leases: Leases, owner: str) -> Interface:
    kept = [
        _parse(text.partition("/")[0]) for p in pools for text in (p.any_gateway, *(p.auxiliary_addresses or {}).values()) if text
    ]
    if fixed:
        address = _parse(fixed)
        subnet = leases.claim(address, [_subnet(pool) for pool in pools], kept, owner)
        return ipaddress.ip_interface(f"{address}/{subnet.prefixlen}")
    pool = pools[0]
    subnet = _subnet(pool)
    wanted = ipaddress.ip_network(pool.ip_range, strict=False) if pool.ip_range else subnet
    address = leases.take(subnet, wanted, kept, owner)
    return ipaddress.ip_interface(f"{address}/{subnet.prefixlen}")


def _gateways(network: NetworkRecord) -> dict[int, Address]:
    """An internal network leads nowhere. A bridge network may lead to somebody else than the bridge (dockerd's ``--default-gateway``)."""
    if network.internal:
        return {}
    gateways: dict[int, Address] = {}
    for pool in network.ipam.config or []:
        if pool.any_gateway:
            address = _parse(pool.any_gateway.partition("/")[0])
            gateways.setdefault(address.version, address)
    if network.driver == "bridge":
        for version in gateways:
            for pool in network.ipam.config or []:
                if text := (pool.auxiliary_addresses or {}).get(f"{DEFAULT_GATEWAY}{version}"):
                    gateways[version] = _parse(text)
    return gateways


def _sysctls(text: str, interface: str) -> dict[str, str]:
    """``net.ipv4.conf.IFNAME.log_martians=1,...``. Raises ``InvalidArgument``."""
    parameters = {}
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        words = key.split(".")
        if not separator or len(words) < 5 or words[0] != "net" or words[3] != "IFNAME":
            raise InvalidArgument(f"invalid sysctl {part!r} in {_SYSCTLS}; write it as net.ipv4.conf.IFNAME.log_martians=1")
        parameters[key.replace("IFNAME", interface)] = value
    return parameters


def _subnet(pool: IpamPool) -> Subnet:
    return ipaddress.ip_network(pool.subnet, strict=False)


def _parse(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error
