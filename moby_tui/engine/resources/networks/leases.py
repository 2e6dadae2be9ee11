"""The leases of a network's addresses. Any number of processes lease at the same time.

A lease is a symbolic link ``<network id>/<address>``, whose target names the owner. symlink(2) is atomic and fails if the link exists, so
that no lock is needed.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from moby_tui.errors import Forbidden, InvalidArgument, MobyError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


class InUse(MobyError):
    """What other containers, or other programs, have: an address, all addresses of a pool, or a port of the host."""


class AddressTaken(InUse, Forbidden):
    """Another container has the address."""


class PoolExhausted(InUse):
    """All addresses are taken."""


class Leases:
    """The leases of one network. ``folder`` is made with the first lease."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, address: Address) -> Path:
        """The link of an address; deleting it ends the lease."""
        return self._folder / str(address)

    def take(self, subnet: Subnet, wanted: Subnet, reserved: Iterable[Address], owner: str) -> Address:
        """Leases the lowest free address of ``wanted``, which is ``subnet`` or a part of it, but for ``reserved``.

        Raises ``PoolExhausted`` if none is free.
        """
        kept = {str(address) for address in reserved}
        used = self._used()
        for address in hosts(subnet, wanted):
            if str(address) not in used and str(address) not in kept and self._link(address, owner):
                return address
        raise PoolExhausted(f"no address of {wanted} is free")

    def claim(self, address: Address, subnets: Iterable[Subnet], reserved: Iterable[Address], owner: str) -> Subnet:
        """Leases ``address`` and returns the subnet that has it.

        Raises ``InvalidArgument`` if no subnet has it, ``Forbidden`` if it is reserved, ``AddressTaken`` if it is leased.
        """
        for subnet in subnets:
            if address in subnet:
                break
        else:
            raise InvalidArgument(
                f"invalid config for network: no configured subnet or ip-range contain the IP address {address}"
            )
        if address in set(reserved) or not _is_host(address, subnet):
            raise Forbidden("Address already in use")
        if not self._link(address, owner):
            raise AddressTaken("Address already in use")
        return subnet

    def owners(self) -> Iterator[tuple[Path, str]]:
        """The link and the owner of each lease."""
        for name in self._used():
            with suppress(OSError):
                yield self._folder / name, os.readlink(self._folder / name)

    def remove(self) -> None:
        """Deletes all leases of a removed network."""
        import shutil  # imported here, since no start needs it

        shutil.rmtree(self._folder, ignore_errors=True)

    def _used(self) -> set[str]:
        try:
            return set(os.listdir(self._folder))
        except FileNotFoundError:
            return set()

    def _link(self, address: Address, owner: str) -> bool:
        """Takes an address for an owner by making its link; False if it is taken. A missing folder is made. Raises ``OSError``."""
        path = self.path(address)
        for _ in range(2):
            try:
                path.symlink_to(owner)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return False


def _is_host(address: Address, subnet: Subnet) -> bool:
    """False for a subnet's own address and, in IPv4, its broadcast address; a subnet of two addresses has neither (RFC 3021)."""
    if subnet.num_addresses <= 2:
        return True
    return address != subnet.network_address and (subnet.version == 6 or address != subnet.broadcast_address)


def hosts(subnet: Subnet, wanted: Subnet) -> Iterator[Address]:
    """The addresses of ``wanted`` that a host can have: all but the subnet's own address and, in IPv4, its broadcast address.

    A subnet of two addresses has neither (RFC 3021).
    """
    first, last = int(wanted.network_address), int(wanted.broadcast_address)
    if subnet.num_addresses > 2:
        first = max(first, int(subnet.network_address) + 1)
        if subnet.version == 4:
            last = min(last, int(subnet.broadcast_address) - 1)
    make = ipaddress.IPv4Address if subnet.version == 4 else ipaddress.IPv6Address
    for number in range(first, last + 1):
        yield make(number)
