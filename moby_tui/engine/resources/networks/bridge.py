"""The bridge: made on first use by whichever process comes first, and the wire from it into a container's namespace.

Everything here blocks for some milliseconds; call it on a thread in the host's network namespace.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from moby_tui.engine.kernel import netns, rtnetlink
from moby_tui.engine.kernel.netlink import NETLINK_ROUTE, open_socket, request, send
from moby_tui.engine.resources.networks import host
from moby_tui.engine.resources.networks.addresses import gateway, mac_of
from moby_tui.engine.resources.networks.firewall import Firewall
from moby_tui.errors import MobyError

INTERFACE = "eth0"
_ETHERNET_MTU = 1500
_SIOCGIFMTU = 0x8921
_SYSCTL = Path("/proc/sys/net")


class Bridge:
    """One bridge with its subnet and its firewall table."""

    def __init__(self, name: str, subnet: IPv4Network, firewall: Firewall, lock: Path) -> None:
        self.name = name
        self.subnet = subnet
        self._firewall = firewall
        self._lock = lock

    def ensure(self, published: Callable[[], Iterable[bytes]]) -> None:
        """Makes what is missing: the bridge after a reboot, the table (with the ports in use) also after somebody flushed it."""
        if self._exists() and self._firewall.is_built():
            return
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._make_interface()
            if not self._firewall.is_built():
                self._firewall.build(published())

    def wire(self, namespace: int, veth: str, address: IPv4Address, mac: bytes) -> None:
        """Connects a namespace: a veth pair, its inner end ``eth0`` with address and default route. Raises ``OSError``."""
        mtu = _mtu(self.name)
        with open_socket(NETLINK_ROUTE) as link:
            request(link, rtnetlink.new_veth(veth, mtu, peer=INTERFACE, peer_mac=mac, peer_netns=namespace))
            netns.call(namespace, lambda: self._configure_inside(address))
            # The outer end comes up last: with a peer that is up the bridge forwards to it at once, not at some later notice.
            request(link, rtnetlink.set_port_up(veth, socket.if_nametoindex(self.name)))

    def _configure_inside(self, address: IPv4Address) -> None:
        _write_sysctl(f"ipv6/conf/{INTERFACE}/disable_ipv6", "1")
        index = socket.if_nametoindex(INTERFACE)
        send(
            NETLINK_ROUTE,
            rtnetlink.new_address(index, address.packed, self.subnet.broadcast_address.packed, self.subnet.prefixlen)
            + rtnetlink.set_up(index)
            + rtnetlink.new_default_route(index, gateway(self.subnet).packed),
        )

    def _exists(self) -> bool:
        try:
            socket.if_nametoindex(self.name)
        except OSError:
            return False
        return True

    def _make_interface(self) -> None:
        own = gateway(self.subnet)
        host.make_bridge(self.name, mac_of(own), _ETHERNET_MTU, own, self.subnet)
        _write_sysctl(f"ipv6/conf/{self.name}/disable_ipv6", "1")
        _write_sysctl(f"ipv4/conf/{self.name}/route_localnet", "1")
        _write_sysctl("ipv4/ip_forward", "1")


def set_loopback_up(namespace: int) -> None:
    netns.call(namespace, lambda: send(NETLINK_ROUTE, rtnetlink.set_up(rtnetlink.LOOPBACK)))


def _mtu(interface: str) -> int:
    """netdevice(7). Not from /sys, which shows the namespace it was mounted in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFMTU, struct.pack("=16si20x", interface.encode(), 0))
    return int(struct.unpack_from("=i", answer, 16)[0])


def _write_sysctl(name: str, value: str) -> None:
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
