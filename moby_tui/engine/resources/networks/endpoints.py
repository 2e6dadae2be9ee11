"""The places of a container in its networks: the network of its default route, and names, addresses and parameters of its interfaces."""

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
    """A network of a container, and the settings that the request has for the container's endpoint there."""

    network: NetworkRecord
    requested: EndpointSettings


class ContainerNames(NamedTuple):
    """The id, the name and the host name of a container."""

    id: str
    name: str
    hostname: str


def is_user_defined(network: NetworkRecord) -> bool:
    """False for the networks that every engine has."""
    return network.name not in (_DEFAULT_BRIDGE, "host", "none")


def gateway_of(places: Iterable[Place]) -> Place | None:
    """The place through whose network the default route leads: that of the highest priority, then the first by name.

    None if there are only internal networks and those of the drivers ``null`` and ``host``.
    """
    able = [place for place in places if not place.network.internal and place.network.driver not in ("null", "host")]
    return min(able, key=lambda place: (-place.requested.gw_priority, place.network.name), default=None)


def check(place: Place) -> None:
    """Raises ``InvalidArgument``, with all settings of a request that the network cannot give. The texts are the Docker Engine's."""
    links_of(place)
    if place.requested.mac_address:
        parse_mac(place.requested.mac_address)
    if faults := _faults(place):
        raise InvalidArgument("invalid endpoint settings:\n" + one_or_list(faults))


def one_or_list(faults: Sequence[str]) -> str:
    """One text of several errors, as the Docker Engine writes Go's ``errors.Join``: a line with a star for each, if there are several."""
    return faults[0] if len(faults) == 1 else "\n".join(f"* {fault}" for fault in faults)


def _faults(place: Place) -> list[str]:
    network, requested = place
    ipam = requested.ipam_config
    fixed = {4: ipam.ipv4_address, 6: ipam.ipv6_address} if ipam else {}
    wanted = {version: address for version, address in fixed.items() if address}
    faults = []
    if not is_user_defined(network):
        if wanted:
            faults.append("user specified IP address is supported on user defined networks only")
        if requested.aliases:
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
    network, requested = place
    options = requested.driver_opts or {}
    interface = interface_name(place, number)
    return Endpoint(
        container_id=container_id,
        id=os.urandom(32).hex(),
        interface=interface,
        mac=parse_mac(requested.mac_address) if requested.mac_address else b"",
        gateways=_gateways(network),
        is_gateway=is_gateway,
        sysctls=_sysctls(options.get(_SYSCTLS, ""), interface),
    )


def interface_name(place: Place, number: int) -> str:
    """The interface's name in the request, else the network's prefix with ``number``."""
    network, requested = place
    prefix = bridge_options.read(network).prefix if network.driver == "bridge" else "eth"
    return (requested.driver_opts or {}).get(_IFNAME) or f"{prefix}{number}"


def lease_addresses(place: Place, endpoint: Endpoint, leases: Leases, owner: str) -> None:
    """Gives an endpoint its addresses, and a hardware address if the request has none.

    After an error the addresses leased until then stay leased; the caller releases them. Raises ``MobyError``.
    """
    network, requested = place
    ipam = requested.ipam_config
    fixed = {4: ipam.ipv4_address, 6: ipam.ipv6_address} if ipam else {}
    for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6)):
        pools = [pool for pool in network.ipam.config or [] if pool.subnet and _subnet(pool).version == version]
        if enabled and pools:
            endpoint.addresses.append(_lease(pools, fixed.get(version, ""), leases, owner))
    endpoint.link_local = [ipaddress.ip_interface(f"{address}/16") for address in (ipam.link_local_ips or [])] if ipam else []
    if not endpoint.mac:
        address = endpoint.address(4)
        endpoint.mac = mac_of(address.ip) if address else random_mac()


def settings_of(place: Place, endpoint: Endpoint, names: list[str]) -> EndpointSettings:
    """The endpoint as ``inspect`` shows it."""
    network, requested = place
    four, six = endpoint.address(4), endpoint.address(6)
    return EndpointSettings(
        ipam_config=requested.ipam_config,
        links=requested.links,
        aliases=requested.aliases,
        driver_opts=requested.driver_opts,
        gw_priority=requested.gw_priority,
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


def endpoint_of(container_id: str, given: EndpointSettings) -> Endpoint:
    """The endpoint of a running container, with its id and addresses only."""
    four = [f"{given.ip_address}/{given.ip_prefix_len}"] if given.ip_address else []
    six = [f"{given.global_ipv6_address}/{given.global_ipv6_prefix_len}"] if given.global_ipv6_address else []
    addresses = [ipaddress.ip_interface(text) for text in (*four, *six)]
    return Endpoint(container_id=container_id, id=given.endpoint_id, interface="", mac=b"", addresses=addresses)


def names_of(place: Place, container_names: ContainerNames) -> list[str]:
    """The container's names on a user-defined network: its name, its aliases, its short id and its host name. Empty on others."""
    if not is_user_defined(place.network):
        return []
    aliases = place.requested.aliases or []
    names = (container_names.name, *aliases, container_names.id[:12], container_names.hostname)
    return list(dict.fromkeys(name for name in names if name))


def links_of(place: Place) -> dict[str, str]:
    """The links of the request: for each alias the name of the linked container. Raises ``InvalidArgument``."""
    if not place.requested.links:
        return {}
    from moby_tui.engine.resources.networks import links  # few containers have any

    return links.aliases(place.requested.links)


def parse_mac(value: str) -> bytes:
    """The six bytes of a hardware address. Raises ``InvalidArgument`` for a malformed one, a group address and zero."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", value):
        raise InvalidArgument(f"invalid MAC address {value}; write it as 02:42:ac:11:00:02")
    mac = bytes.fromhex(value.replace(":", "").replace("-", ""))
    if mac[0] & 1 or not any(mac):
        raise InvalidArgument(f"invalid MAC address {value!r}; it must name one interface, not a group or none")
    return mac


def mac_of(address: Address) -> bytes:
    """A hardware address made of an IPv4 address, so that the ARP caches of neighbours stay right when the next container has the address."""
    return b"\x02\x42" + address.packed


def random_mac() -> bytes:
    """A random hardware address, locally administered (IEEE 802)."""
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
    """The gateway of each IP version; none for an internal network.

    In a bridge network it is the bridge, unless an auxiliary address names another one (dockerd's ``--default-gateway``).
    """
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
