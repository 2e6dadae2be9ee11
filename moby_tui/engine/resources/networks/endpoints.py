"""The places of a container in its networks: the network of its default route, and names, addresses and parameters of its interfaces."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from msgspec import Struct

from moby_tui.engine.resources.networks import bridge_options
from moby_tui.engine.resources.networks.drivers.driver import Address, Endpoint, Interface, Subnet
from moby_tui.engine.resources.networks.leases import Leases, PoolExhausted
from moby_tui.engine.store.records.containers import ContainerRecord, EndpointSettings
from moby_tui.engine.store.records.networks import IpamPool, NetworkRecord
from moby_tui.errors import Conflict, Forbidden, InvalidArgument

#: The auxiliary address, with the IP version behind it, to which default routes lead in place of the bridge (dockerd's name).
DEFAULT_GATEWAY = "DefaultGatewayIPv"
_SYSCTLS, _IFNAME = "com.docker.network.endpoint.sysctls", "com.docker.network.endpoint.ifname"
_PREDEFINED = ("bridge", "host", "none")
_LOOPBACK = "lo"
#: As Go's ``net.ParseMAC`` reads six bytes: 02:42:ac:11:00:02, 02-42-ac-11-00-02 or 0242.ac11.0002.
_MAC = r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2}"
_PARAMETER = r"net\.(ipv4|ipv6|mpls)\.[a-z0-9_]+\.(IFNAME|ifname)\.[a-z0-9_]+=.+"


class Place(NamedTuple):
    """A network of a container, and the settings that the request has for the container's endpoint there."""

    network: NetworkRecord
    requested: EndpointSettings


class ContainerNames(Struct, frozen=True):
    """The id, the name and the host name of a container. ``has_ipv6`` is false if its request disables IPv6 in its network namespace."""

    id: str
    name: str
    hostname: str
    has_ipv6: bool = True

    @classmethod
    def of(cls, record: ContainerRecord) -> ContainerNames:
        host = record.host_config
        return cls(record.id, record.name, record.config.hostname, not (host.sysctls and _disables_ipv6(host.sysctls)))


def _disables_ipv6(sysctls: Mapping[str, str]) -> bool:
    """True if the loopback interface loses its IPv6 address: that is when dockerd takes IPv6 for disabled."""
    given = {name.replace("/", "."): value.strip() for name, value in sysctls.items()}
    return any(given.get(f"net.ipv6.conf.{interface}.disable_ipv6", "0") != "0" for interface in ("all", "lo"))


def is_user_defined(network: NetworkRecord) -> bool:
    """False for the networks that every engine has."""
    return network.name not in _PREDEFINED


def gateways_of(places: Iterable[Place]) -> dict[int, Place]:
    """For each IP version the place through whose network the default route leads; none if no network has a gateway of that version.

    As with dockerd, that is first a network with gateways of both versions, then that of the highest priority, then the first by name.
    """
    gateways: dict[int, Place] = {}
    for place in _outward(places):
        for version in _gateway_versions(place.network):
            gateways.setdefault(version, place)
    return gateways


def gateway_of(places: Sequence[Place]) -> Place | None:
    """The place in whose network the container's ports are published: that of the default route of IPv4, else of IPv6.

    None if there are only internal networks and those of the drivers ``null`` and ``host``. If no network has a gateway, it is the first.
    """
    gateways = gateways_of(places)
    return gateways.get(4) or gateways.get(6) or next(iter(_outward(places)), None)


def _outward(places: Iterable[Place]) -> list[Place]:
    able = [place for place in places if not place.network.internal and place.network.driver not in ("null", "host")]
    return sorted(
        able, key=lambda place: (-len(_gateway_versions(place.network)), -place.requested.gw_priority, place.network.name)
    )


def _gateway_versions(network: NetworkRecord) -> set[int]:
    """The IP versions of a network that have a gateway."""
    gateways = [pool.any_gateway for pool in network.ipam.config or []]
    enabled = ((4, network.enable_ipv4), (6, network.enable_ipv6))
    return {
        version for version, has in enabled if has and any(gateway and (":" in gateway) == (version == 6) for gateway in gateways)
    }


def check_takes_containers(network: NetworkRecord) -> None:
    """Raises ``Forbidden`` for a network that is only a configuration for others."""
    if network.config_only:
        raise Forbidden("cannot create endpoint on configuration-only network")


def check(place: Place) -> None:
    """Raises ``InvalidArgument``, with all settings of a request that the network cannot give. The texts are the Docker Engine's."""
    links_of(place)
    if place.requested.mac_address:
        parse_mac(place.requested.mac_address)
    requested_interface(place)
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
    faults += [f"invalid IPv{version} address: {text}" for version, text in wanted.items() if not _is_given(version, text)]
    faults += [
        f"invalid link-local IP address: {text}"
        for text in (ipam.link_local_ips or [] if ipam else [])
        if not (_is_address(4, text) or _is_address(6, text)) or not _parse(text).is_link_local
    ]
    for version, text in wanted.items():
        subnets = [_subnet(pool) for pool in network.ipam.config or [] if pool.subnet and not pool.is_chosen]
        own = [subnet for subnet in subnets if subnet.version == version]
        if not own:
            faults.append("user specified IP address is supported only when connecting to networks with user configured subnets")
        elif not _is_address(version, text) or not any(_parse(text) in subnet for subnet in own):
            faults.append(f"no configured subnet or ip-range contain the IP address {text}")
    faults += [
        f"unrecognised network interface sysctl '{parameter}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', "
        "'X' must be 'ipv4', 'ipv6' or 'mpls'"
        for parameter in _requested_sysctls(requested)
        if not re.fullmatch(_PARAMETER, parameter)
    ]
    return faults


def _is_given(version: int, text: str) -> bool:
    """True for an address of the IP version that names a host: 0.0.0.0 and :: do not."""
    return _is_address(version, text) and not _parse(text).is_unspecified


def _is_address(version: int, text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def make(place: Place, container_id: str, number: int, default_routes: Collection[int]) -> Endpoint:
    """A new endpoint without addresses. ``number`` counts the container's interfaces, ``default_routes`` are the IP versions whose default
    route leads through it. Raises ``InvalidArgument``."""
    network, requested = place
    interface = interface_name(place, number)
    return Endpoint(
        container_id=container_id,
        id=os.urandom(32).hex(),
        interface=interface,
        mac=parse_mac(requested.mac_address) if requested.mac_address else b"",
        gateways=_gateways(network),
        default_routes=default_routes,
        sysctls=_sysctls(requested, interface),
    )


def interface_name(place: Place, number: int) -> str:
    """The interface's name in the request, else the network's prefix with ``number``."""
    prefix = bridge_options.read(place.network).prefix if place.network.driver == "bridge" else "eth"
    return requested_interface(place) or f"{prefix}{number}"


def requested_interface(place: Place) -> str:
    """The interface's name in the request, empty if it has none. Raises ``InvalidArgument`` for a name that no new interface can have."""
    name = (place.requested.driver_opts or {}).get(_IFNAME, "")
    if name == _LOOPBACK:
        raise InvalidArgument(f"invalid {_IFNAME} value: {name} (it is the loopback interface; choose another name)")
    if not name:
        return ""
    try:
        return bridge_options.interface_name(name)
    except ValueError as error:
        raise InvalidArgument(f"invalid {_IFNAME} value: {name} ({error})") from error


def interface_numbers(places: Sequence[Place]) -> list[int]:
    """The number for ``make`` of each place of a container that starts: no two interfaces get the same name. Raises ``Conflict`` if the
    request gives two the same."""
    requested = {name for place in places if (name := requested_interface(place))}
    if len(places) == 1:
        return [0]
    numbers: list[int] = []
    taken: set[str] = set()
    for place in places:
        number = free_interface(place, taken if requested_interface(place) else taken | requested)
        taken.add(interface_name(place, number))
        numbers.append(number)
    return numbers


def free_interface(place: Place, taken: Container[str]) -> int:
    """The number for ``make`` with which an interface of a running container gets a name that is not ``taken``. Raises ``Conflict`` if the
    request names one that is."""
    if (name := requested_interface(place)) in taken:
        raise Conflict(f"interface name {name} is taken in the container; choose another one")
    return next(number for number in count() if interface_name(place, number) not in taken)


def lease_addresses(place: Place, endpoint: Endpoint, leases: Leases, owner: str, *, has_ipv6: bool = True) -> None:
    """Gives an endpoint its addresses, and a hardware address if the request has none. ``has_ipv6``: the container has IPv6.

    After an error the addresses leased until then stay leased; the caller releases them. Raises ``MobyError``.
    """
    network, requested = place
    ipam = requested.ipam_config
    fixed = {4: ipam.ipv4_address, 6: ipam.ipv6_address} if ipam else {}
    for version, enabled in ((4, network.enable_ipv4), (6, network.enable_ipv6 and has_ipv6)):
        pools = [pool for pool in network.ipam.config or [] if pool.subnet and _subnet(pool).version == version]
        if enabled and pools:
            try:
                endpoint.addresses.append(_lease(pools, fixed.get(version, ""), leases, owner))
            except PoolExhausted:
                place_name = f"{network.name} ({network.id})"
                text = f"no available IPv{version} addresses on this network's address pools: {place_name}"
                raise PoolExhausted(text) from None
    endpoint.link_local = [_link_local(text) for text in (ipam.link_local_ips or [])] if ipam else []
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
    """As ``names_on``."""
    return names_on(place.network.name, place.requested, container_names)


def names_on(network: str, requested: EndpointSettings, container_names: ContainerNames) -> list[str]:
    """The container's names on a user-defined network: its name, its aliases, its short id and its host name. Empty on others."""
    if network in _PREDEFINED:
        return []
    aliases = requested.aliases or []
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
    if not re.fullmatch(_MAC, value):
        raise InvalidArgument(f"invalid MAC address {value}; write it as 02:42:ac:11:00:02")
    mac = bytes.fromhex(re.sub("[:.-]", "", value))
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
    """The gateway of each IP version that the network has; none for an internal network.

    In a bridge network it is the bridge, unless an auxiliary address names another one (dockerd's ``--default-gateway``).
    """
    if network.internal:
        return {}
    gateways: dict[int, Address] = {}
    for pool in network.ipam.config or []:
        if pool.any_gateway:
            address = _parse(pool.any_gateway.partition("/")[0])
            if network.enable_ipv4 if address.version == 4 else network.enable_ipv6:
                gateways.setdefault(address.version, address)
    if network.driver == "bridge":
        for version in gateways:
            for pool in network.ipam.config or []:
                if text := (pool.auxiliary_addresses or {}).get(f"{DEFAULT_GATEWAY}{version}"):
                    gateways[version] = _parse(text)
    return gateways


def _link_local(text: str) -> Interface:
    """The address with its prefix: 169.254.0.0/16 (RFC 3927) or fe80::/64 (RFC 4291)."""
    address = _parse(text)
    return ipaddress.ip_interface(f"{address}/{16 if address.version == 4 else 64}")


def _requested_sysctls(requested: EndpointSettings) -> list[str]:
    """The parameters of the request: ``net.ipv4.conf.IFNAME.log_martians=1``."""
    text = (requested.driver_opts or {}).get(_SYSCTLS)
    return [] if text is None else text.split(",")


def _sysctls(requested: EndpointSettings, interface: str) -> dict[str, str]:
    """The paths of the parameters below /proc/sys, with their values. The docker command line sends IFNAME in lower case."""
    parameters = [parameter.partition("=") for parameter in _requested_sysctls(requested)]
    return {re.sub("IFNAME|ifname", interface, name.replace(".", "/"), count=1): value for name, _, value in parameters}


def _subnet(pool: IpamPool) -> Subnet:
    return ipaddress.ip_network(pool.subnet, strict=False)


def _parse(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error
