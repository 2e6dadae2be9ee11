"""The drivers ``macvlan`` and ``ipvlan``: each container gets an interface of its own on the wire of one of the host's (the parent).

Such a container is a neighbour of the host on its network: no bridge, no address translation, no published ports, and the host itself cannot
be reached through the parent. pyroute2 makes the interfaces; only an engine with such a network imports it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Any, ClassVar

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks.drivers.bridge import configure, exists
from moby_tui.engine.resources.networks.drivers.driver import Endpoint, Teardown
from moby_tui.engine.store.records.networks import NOTE, NetworkRecord
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet

_PARENT = "parent"
#: Noted in a network's row: its parent was made for it, and goes with it.
_PARENT_MADE = f"{NOTE}parent_made"
_MOST_TAG = 4094
#: Values of the option ``ipvlan_flag``, the default first.
_FLAGS = ("bridge", "private", "vepa")


class SublinkDriver:
    """What both have in common. ``modes`` are the values of the option ``<driver>_mode``, the default first."""

    name: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    has_addresses: ClassVar[bool] = True

    def check(self, network: NetworkRecord) -> None:
        mode = self._mode(network)
        if mode not in self.modes:
            default = f"'{self.modes[0]}' mode is the {self.name} driver default"
            raise InvalidArgument(f"requested {self.name} mode '{mode}' is not valid, {default}")
        parent = network.options.get(_PARENT, "")
        if not parent:
            raise InvalidArgument(f"a {self.name} network needs an interface of the host: name it with -o parent=eth0")
        if parent == "lo":
            raise InvalidArgument("loopback interface is not a valid parent link")
        if not exists(parent):
            _split_tag(parent)

    def create(self, network: NetworkRecord) -> None:
        """Makes the parent where it is a VLAN (``eth0.10``) that is not there yet, and tries whether the kernel has the driver."""
        parent = network.options[_PARENT]
        if not exists(parent):
            interface, tag = _split_tag(parent)
            with _iproute() as ip:
                _do(f"make {parent}", ip.link, "add", ifname=parent, kind="vlan", link=_index(interface), vlan_id=tag)
                _do(f"bring {parent} up", ip.link, "set", index=_index(parent), state="up")
            network.options[_PARENT_MADE] = "true"
        try:
            self._try_out(network)
        except MobyError:
            self.delete(network)
            raise

    def delete(self, network: NetworkRecord) -> None:
        """Takes away the parent that ``create`` made."""
        parent = network.options[_PARENT]
        if network.options.get(_PARENT_MADE) == "true" and exists(parent):
            with _iproute() as ip:
                _do(f"delete {parent}", ip.link, "del", index=_index(parent))

    def teardown_of(self, network: NetworkRecord, endpoint: Endpoint) -> Teardown:
        """The interface goes with the container's namespace."""
        return []

    def attach(self, network: NetworkRecord, endpoint: Endpoint, namespace: int) -> None:
        made = f"{self.name[:3]}{endpoint.id[:10]}"
        try:
            with _iproute() as ip:
                self._add(ip, network, made, endpoint.mac)
                _do("hand the interface over", ip.link, "set", index=_index(made), net_ns_fd=namespace, ifname=endpoint.interface)
        except BaseException:
            self._drop(made)
            raise
        netns.call(namespace, lambda: configure(endpoint))

    def restore(self, networks: Iterable[NetworkRecord]) -> None:
        """Makes the parents again that a reboot took away."""
        for network in networks:
            if network.options.get(_PARENT_MADE) == "true" and not exists(network.options[_PARENT]):
                self.create(network)

    def _mode(self, network: NetworkRecord) -> str:
        return network.options.get(f"{self.name}_mode") or self.modes[0]

    def _try_out(self, network: NetworkRecord) -> None:
        """Makes an interface and deletes it: kernels without the driver are told of now, not at the first start."""
        probe = f"{self.name[:3]}{os.urandom(5).hex()}"
        with _iproute() as ip:
            self._add(ip, network, probe, b"")
        self._drop(probe)

    def _add(self, ip: Any, network: NetworkRecord, name: str, mac: bytes) -> None:
        mode = self._mode(network)
        # linux/if_link.h counts the modes of ipvlan from 0; pyroute2 knows those of macvlan by name
        value = mode if self.name == "macvlan" else self.modes.index(mode)
        options: dict[str, object] = {f"{self.name}_mode": value, "link": _index(network.options[_PARENT])}
        if mac and self.name == "macvlan":
            options["address"] = mac.hex(":")
        _do(f"make an interface of kind {self.name}", ip.link, "add", ifname=name, kind=self.name, **options)

    def _drop(self, name: str) -> None:
        if exists(name):
            with _iproute() as ip:
                _do(f"delete {name}", ip.link, "del", index=_index(name))


class MacvlanDriver(SublinkDriver):
    """Each container has a hardware address of its own."""

    name: ClassVar[str] = "macvlan"
    modes: ClassVar[tuple[str, ...]] = ("bridge", "private", "vepa", "passthru")


class IpvlanDriver(SublinkDriver):
    """All containers have the parent's hardware address."""

    name: ClassVar[str] = "ipvlan"
    modes: ClassVar[tuple[str, ...]] = ("l2", "l3", "l3s")

    def check(self, network: NetworkRecord) -> None:
        super().check(network)
        flag = network.options.get("ipvlan_flag") or _FLAGS[0]
        if flag not in _FLAGS:
            raise InvalidArgument(f"requested ipvlan flag '{flag}' is not valid, '{_FLAGS[0]}' is the ipvlan driver default")
        if flag != _FLAGS[0]:
            raise NotImplementedYet(f"-o ipvlan_flag={flag}")


def _split_tag(parent: str) -> tuple[str, int]:
    """Interface and VLAN of ``eth0.10``. Raises ``InvalidArgument`` for what is neither there nor can be made."""
    interface, _, tag = parent.rpartition(".")
    if not interface or not tag.isdecimal() or not 0 < int(tag) <= _MOST_TAG or not exists(interface):
        raise InvalidArgument(
            f"invalid subinterface vlan name {parent}, example formatting is eth0.10; the host has no such interface"
        )
    return interface, int(tag)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise MobyError(f"the host has no interface {name}") from error


def _iproute() -> Any:
    from pyroute2 import IPRoute

    return IPRoute()


def _do(what: str, call: Any, *arguments: object, **options: object) -> None:
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        call(*arguments, **options)
    except NetlinkError as error:
        missing = "; this kernel does not have it" if error.code in (errno.EOPNOTSUPP, errno.ENODEV) else ""
        raise MobyError(f"cannot {what}: {os.strerror(error.code).lower()}{missing}") from error
