"""The bridge driver: a bridge for each network, and the wire from it into a container's namespace."""

from __future__ import annotations

import array
import errno
import fcntl
import functools
import logging
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.network import netns, rtnetlink
from moby_tui.engine.kernel.network.netlink import NETLINK_ROUTE, open_socket, request, send
from moby_tui.engine.protocol.network import TeardownStep
from moby_tui.engine.resources.networks import bridge_options
from moby_tui.engine.resources.networks.bridge_options import BridgeOptions
from moby_tui.engine.resources.networks.drivers.driver import Address, Endpoint, Interface, Teardown
from moby_tui.engine.store.records.networks import NOTE, NetworkRecord
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.drivers.mending import Mending
    from moby_tui.engine.resources.networks.firewall import Firewall
    from moby_tui.engine.resources.networks.seen import Seen

log = logging.getLogger(__name__)

_ETHERNET_MTU = 1500
_SIOCGIFMTU, _SIOCGIFFLAGS, _IFF_UP = 0x8921, 0x8913, 0x1
_SIOCETHTOOL, _ETHTOOL_GDRVINFO = 0x8946, 0x3
_SYSCTL = Path("/proc/sys/net")
_NAME = "com.docker.network.bridge.name"
#: How many subnets are tried for a network, and how many seconds an engine waits at most before it chooses the next.
_TRIES, _LONGEST_PAUSE = 10, 0.05
#: Note in a network's row: its bridge existed before the network, and stays when that is removed.
_FOUND = f"{NOTE}bridge_found"
#: Note in the row of such a network: the addresses that the engine gave the bridge, removed with the network.
_GIVEN = f"{NOTE}bridge_given"


class SubnetTaken(MobyError):
    """A subnet that the engine chose for a network overlaps a route of the host by another interface."""


class BridgeDriver:
    """The bridges of one engine, and its nftables tables, which are called ``table``.

    ``firewall`` opens the tables: it is called, and nftables' messages are imported, when one is first read or changed. ``seen`` is the note
    of when they were last found as they should be.
    ``networks`` and ``published`` return what a table gets when it is made anew: the networks, and for each IP version the messages that
    publish ports. ``records`` returns the messages of the records as they are, with which a table is compared.
    """

    name: ClassVar[str] = "bridge"
    has_addresses: ClassVar[bool] = True

    def __init__(
        self,
        table: str,
        seen: Seen,
        firewall: Callable[[], Firewall],
        lock: Path,
        networks: Callable[[], Iterable[NetworkRecord]],
        published: Callable[[], dict[int, list[bytes]]],
        records: Callable[[], dict[int, list[bytes]]],
    ) -> None:
        self.table = table
        self._seen = seen
        self._open_firewall = firewall
        self._lock = lock
        self._networks = networks
        self._published = published
        self._records = records

    @functools.cached_property
    def _firewall(self) -> Firewall:
        return self._open_firewall()

    @functools.cached_property
    def _mending(self) -> Mending:
        # imported here, since few commands find a table changed
        from moby_tui.engine.resources.networks.drivers.mending import Mending

        return Mending(self._firewall, self._present, self._all, self._versions, self._records)

    def check(self, network: NetworkRecord) -> None:
        bridge_options.check_values(network)
        options = bridge_options.read(network)
        if exists(options.interface) and network.options.get(_NAME):
            if not is_bridge(options.interface):
                raise MobyError(f"existing interface {options.interface} is not a bridge")
            taken = [other.name for other in self._networks() if bridge_options.read(other).interface == options.interface]
            if taken:
                raise Forbidden(f"bridge name {options.interface} is used by network {taken[0]} already; choose another one")
            # noted before the row is written: if its creator is killed, the engine that removes the network leaves the bridge
            network.options[_FOUND] = "true"

    def create(self, network: NetworkRecord) -> None:
        """Raises ``SubnetTaken`` too: another engine, or another program, has taken the subnet since the engine chose it."""
        with self._locked():
            self._create(network)

    def _create(self, network: NetworkRecord) -> None:
        options = bridge_options.read(network)
        try:
            given = self._make_interface(options)
            if network.options.get(_FOUND) == "true":
                network.options[_GIVEN] = " ".join(map(str, given))
            fault.point("network.bridge made")
            _check_chosen(network, options.interface)
            self._build_missing_tables()
            self._firewall.add(options)
            fault.point("network.bridge admitted")
        except BaseException:
            self._delete(network, options)
            raise

    def is_there(self, network: NetworkRecord) -> bool:
        """True if the bridge of a network exists."""
        return exists(bridge_options.read(network).interface)

    def make(self, network_id: str, move: Callable[[str], NetworkRecord]) -> NetworkRecord:
        """Makes the bridge of a network that no container is in, unless a process has made it meanwhile. Returns the network.

        ``move`` chooses other subnets for the network and writes them down: it is called if another engine or program of this host has taken
        the subnet while the network had no bridge. Raises ``SubnetTaken`` if that happens again and again, ``OSError``, ``MobyError``.
        """
        with self._locked():
            network = next((network for network in self._networks() if network.id == network_id), None)
            if network is None:
                raise NotFound(f"network {network_id[:12]} was removed meanwhile")
            for _ in range(_TRIES):
                if self.is_there(network):
                    return network
                with suppress(SubnetTaken):
                    self._create(network)
                    return network
                # two engines that have chosen the same subnet at the same time both see it, and both give it up
                time.sleep(os.urandom(1)[0] / 255 * _LONGEST_PAUSE)
                network = move(network_id)
            self._create(network)
            return network

    def delete(self, network: NetworkRecord) -> None:
        with self._locked():
            self._delete(network, bridge_options.read(network))

    def _delete(self, network: NetworkRecord, options: BridgeOptions) -> None:
        self._firewall.remove(options)
        fault.point("networks.bridge shut out")
        if network.options.get(_FOUND) == "true":
            _take_back(options.interface, network.options.get(_GIVEN, ""))
            return
        # imported here, since few commands remove a network
        from moby_tui.engine.kernel.network import link_removal

        with _ignoring(errno.ENODEV):
            link_removal.delete_link(options.interface)

    def restore(self, networks: Iterable[NetworkRecord]) -> None:
        """Makes the bridges that a reboot has removed, and repairs the tables, with the published ports. Raises ``OSError``."""
        missing = [options for options in map(bridge_options.read, networks) if not exists(options.interface)]
        if missing:
            with self._locked():
                for options in missing:
                    self._make_interface(options)
                self._build_missing_tables()
                for options in missing:
                    self._firewall.add(options)
        self.mend()

    def mend(self) -> None:
        """Repairs the tables after a change by another program, and logs that. Does nothing if no bridge exists. Raises ``OSError``."""
        if self._seen.is_current() or not self._present() or not self._mending.look():
            return
        with self._locked():
            for text in self._mending.mend():
                log.warning("%s: another program changed it, and it was put right", text)

    def wrong(self) -> list[str]:
        """The differences between the tables and what they should hold, a text each. Raises ``OSError``."""
        return [*self._mending.wrong().values()] if self._present() else []

    def teardown_of(self, network: NetworkRecord, endpoint: Endpoint) -> Teardown:
        return [TeardownStep(netlink=NETLINK_ROUTE, data=rtnetlink.delete_link(veth_of(endpoint)).hex())]

    def attach(self, network: NetworkRecord, endpoint: Endpoint, namespace: int) -> None:
        """Makes a veth pair between the bridge, which must exist (``restore``), and the container, whose end gets addresses and routes.

        Raises ``OSError``.
        """
        options = bridge_options.read(network)
        name, veth = options.interface, veth_of(endpoint)
        with open_socket(NETLINK_ROUTE) as link:
            pair = rtnetlink.new_veth(veth, mtu_of(name), peer=endpoint.interface, peer_mac=endpoint.mac, peer_netns=namespace)
            request(link, pair)
            fault.point("networks.wire made")
            netns.call(namespace, lambda: configure(endpoint))
            # the outer end is set up last: if its peer is up, the bridge forwards to it at once, else only after a link event
            request(link, rtnetlink.set_port_up(veth, socket.if_nametoindex(name)))

    def _make_interface(self, options: BridgeOptions) -> list[Interface]:
        """Makes the bridge, gives it the gateways' addresses, and sets it up. An existing bridge stays.

        Returns the addresses that the bridge did not have before. Raises ``OSError``, ``MobyError``.
        """
        from moby_tui.engine.resources.networks import host  # once for each bridge and boot

        own = _own_addresses(options)
        mac = b"\x02\x42" + own[0].ip.packed[-4:] if own else b"\x02\x42" + os.urandom(4)
        mtu = options.mtu or min([_ETHERNET_MTU, *host.sizes_to_the_world()])
        with open_socket(NETLINK_ROUTE) as link:
            is_new = True
            try:
                request(link, rtnetlink.new_bridge(options.interface, mac))
            except FileExistsError:
                is_new = False
            index = socket.if_nametoindex(options.interface)
            if is_new:
                request(link, rtnetlink.set_mtu(index, mtu, self._alias_of(options.interface)))
            has_ipv6 = any(address.version == 6 for address in own)
            write_sysctl(f"ipv6/conf/{options.interface}/disable_ipv6", "0" if has_ipv6 else "1")
            write_sysctl(f"ipv4/conf/{options.interface}/route_localnet", "1")
            given = []
            for address in own:
                with _ignoring(errno.EEXIST):
                    request(link, rtnetlink.new_address(index, address))
                    given.append(address)
            request(link, rtnetlink.set_up(index))
        if not options.icc:
            _filter_within_bridges()
        if not options.internal:
            write_sysctl("ipv4/ip_forward", "1")
            if has_ipv6:
                write_sysctl("ipv6/conf/all/forwarding", "1")
        return given

    def _alias_of(self, interface: str) -> str:
        """The alias of the default bridge: see ``idle_bridges``. None for others, and where the kernel does not take so long a one."""
        alias = os.path.abspath(self._lock.parent)
        is_default = interface in (self.table, f"{self.table}0")
        return alias if is_default and alias.isprintable() and len(os.fsencode(alias)) <= rtnetlink.LONGEST_ALIAS else ""

    def _build_missing_tables(self) -> None:
        for version in self._versions():
            if not self._firewall.is_built(version):
                self._firewall.build(version, self._present(), self._published().get(version, []))

    def _present(self) -> list[BridgeOptions]:
        """The networks whose bridges exist in this network namespace."""
        return [options for options in self._all() if exists(options.interface)]

    def _all(self) -> list[BridgeOptions]:
        return [bridge_options.read(network) for network in self._networks()]

    def _versions(self) -> list[int]:
        """The IP versions that have a table: IPv6 only if a network has it."""
        six = any(network.enable_ipv6 for network in self._networks())
        return [4, 6] if six else [4]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the lock under which one process at a time makes and deletes bridges and tables."""
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _ignoring(*numbers: int) -> Iterator[None]:
    """Suppresses an ``OSError`` with one of these numbers in the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise


def _check_chosen(network: NetworkRecord, interface: str) -> None:
    """Raises ``SubnetTaken`` if a subnet that the engine chose overlaps a route by another interface than the bridge.

    The subnet was free when it was chosen. Engines of other data roots, and other programs, do not know of it before the bridge has it.
    """
    chosen = [ip_network(pool.subnet) for pool in network.ipam.config or [] if pool.is_chosen]
    if not chosen:
        return
    from moby_tui.engine.resources.networks import host  # once for each bridge and boot

    own = socket.if_nametoindex(interface)
    for route in host.routes():
        if route.interface != own and route.destination.prefixlen:
            for subnet in chosen:
                if subnet.version == route.destination.version and subnet.overlaps(route.destination):
                    raise SubnetTaken(
                        f"subnet {subnet} of network {network.name} overlaps the host's route to {route.destination}: "
                        "name another with --subnet, or give the engine a --default-address-pool"
                    )


def _take_back(interface: str, given: str) -> None:
    """Removes the addresses ``given``, separated by spaces, from a bridge of the user, if they exist. Raises ``OSError``."""
    with open_socket(NETLINK_ROUTE) as link:
        for text in given.split():
            if exists(interface):
                with _ignoring(errno.EADDRNOTAVAIL, errno.ENODEV):
                    request(link, rtnetlink.delete_address(socket.if_nametoindex(interface), ip_interface(text)))


def veth_of(endpoint: Endpoint) -> str:
    """The name of the outer end of the veth pair."""
    return f"veth{endpoint.id[:10]}"


def configure(endpoint: Endpoint) -> None:
    """Sets addresses, parameters and default routes of the container's interface. Runs in its network namespace. Raises ``OSError``."""
    six = any(address.version == 6 for address in (*endpoint.addresses, *endpoint.link_local))
    write_sysctl(f"ipv6/conf/{endpoint.interface}/disable_ipv6", "0" if six else "1")
    for key, value in endpoint.sysctls.items():
        _set_parameter(key, value)
    index = socket.if_nametoindex(endpoint.interface)
    messages = [rtnetlink.new_address(index, address) for address in endpoint.addresses]
    messages += [rtnetlink.new_address(index, address, scope_link=True) for address in endpoint.link_local]
    messages.append(rtnetlink.set_up(index))
    messages += [
        rtnetlink.new_default_route(index, gateway)
        for version, gateway in endpoint.gateways.items()
        if version in endpoint.default_routes and endpoint.address(version) is not None
    ]
    send(NETLINK_ROUTE, b"".join(messages))


def _set_parameter(name: str, value: str) -> None:
    """Sets a parameter of the request, given by its path below /proc/sys. Raises ``InvalidArgument`` if the kernel refuses it."""
    try:
        (_SYSCTL.parent / name).write_text(value)
    except FileNotFoundError:
        raise InvalidArgument(f"{_SYSCTL.parent / name} is not a sysctl file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgument(f"unable to write {value} to {_SYSCTL.parent / name}: {reason}") from error


def set_default_routes(routes: Iterable[tuple[str, Address]]) -> None:
    """Replaces the default routes by routes over these interfaces and gateways. Runs in the container's network namespace. Raises
    ``OSError``."""
    with open_socket(NETLINK_ROUTE) as link:
        for version in (4, 6):
            # for IPv6 the kernel answers ENOENT if there is no default route
            with _ignoring(errno.ESRCH, errno.ENOENT):
                request(link, rtnetlink.delete_default_route(version))
        for interface, gateway in routes:
            request(link, rtnetlink.new_default_route(socket.if_nametoindex(interface), gateway))


def set_loopback_up(namespace: int) -> None:
    netns.call(namespace, lambda: send(NETLINK_ROUTE, rtnetlink.set_up(rtnetlink.LOOPBACK)))


def exists(interface: str) -> bool:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True


def is_up(interface: str) -> bool:
    """True if the interface is up (netdevice(7), IFF_UP). Raises ``OSError`` if it does not exist."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("=16sH22x", interface.encode(), 0))
    return bool(struct.unpack_from("=H", answer, 16)[0] & _IFF_UP)


def is_bridge(interface: str) -> bool:
    """By the name of its driver (linux/ethtool.h). Not from /sys, which shows the namespace it was mounted in."""
    answer = array.array("B", struct.pack("=I192x", _ETHTOOL_GDRVINFO))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), answer.buffer_info()[0]))
        except OSError:
            return False
    return answer.tobytes()[4:36].rstrip(b"\0") == b"bridge"


def mtu_of(interface: str) -> int:
    """netdevice(7). Not from /sys, which shows the namespace it was mounted in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFMTU, struct.pack("=16si20x", interface.encode(), 0))
    return int(struct.unpack_from("=i", answer, 16)[0])


def write_sysctl(name: str, value: str) -> None:
    """Sets a parameter of the calling thread's network namespace, unless it is so; IPv6 ones only where the kernel has IPv6."""
    path = _SYSCTL / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except FileNotFoundError:
        if not name.startswith("ipv6/"):
            raise
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        raise MobyError(f"cannot set {path} to {value}: {os.strerror(error.errno)}; set it on the host") from error


def _filter_within_bridges() -> None:
    """Has what a bridge forwards from port to port pass the firewall too, as dockerd does. Raises ``MobyError`` without br_netfilter."""
    if not (_SYSCTL / "bridge").exists():
        import subprocess  # once in a boot, where a network without icc is made

        with suppress(OSError):
            subprocess.run(["modprobe", "br_netfilter"], stdin=subprocess.DEVNULL, capture_output=True)
    try:
        for name in ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"):
            write_sysctl(name, "1")
    except FileNotFoundError as error:
        raise MobyError(
            "cannot restrict inter-container communication: the kernel has no br_netfilter; load it on the host"
        ) from error


def _own_addresses(options: BridgeOptions) -> list[Interface]:
    """What the bridge itself is called in its subnets: the gateway's address, unless nobody is to reach the host by it."""
    own: list[Interface] = []
    for subnet in options.subnets:
        gateway = options.gateways.get(subnet.version)
        if gateway is None or gateway not in subnet or options.mode(subnet.version) == "isolated":
            continue
        if subnet.version == 4 and options.inhibit_ipv4:
            continue
        address = ip_interface(f"{gateway}/{subnet.prefixlen}")
        own.append(address)
    return own
