"""What a rule of nftables consists of: expressions that match a packet or decide on it (linux/netfilter/nf_tables.h).

Every function and every method of ``Packet`` returns the bytes of one or more expressions, for ``nftables.Table.new_rule``. They are
those that ``nft --debug=netlink`` shows.
"""

from __future__ import annotations

import ipaddress
import struct

from moby_tui.engine.kernel.network.netlink import attribute, nested, text
from moby_tui.engine.kernel.network.nftables import DATA_VALUE, LIST_ITEM, Address, Family, Subnet, number

# Bits of the state and of the status of a connection (linux/netfilter/nf_conntrack_common.h).
ESTABLISHED, RELATED = 0x2, 0x4
STATUS_DNAT = 0x20

# Attributes and values, by the names of the kernel's header.
_DATA_VERDICT = 2
_JUMP = -3
_VERDICT_CODE, _VERDICT_CHAIN = 1, 2
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_PAYLOAD_REGISTER, _PAYLOAD_BASE, _PAYLOAD_OFFSET, _PAYLOAD_LENGTH = 1, 2, 3, 4
_BITWISE_SOURCE, _BITWISE_TARGET, _BITWISE_LENGTH, _BITWISE_MASK, _BITWISE_XOR = 1, 2, 3, 4, 5
_COMPARE_REGISTER, _COMPARE_OPERATION, _COMPARE_DATA = 1, 2, 3
_META_REGISTER, _META_KEY = 1, 2
_CT_REGISTER, _CT_KEY = 1, 2
_FIB_REGISTER, _FIB_RESULT, _FIB_FLAGS = 1, 2, 3
_LOOKUP_SET, _LOOKUP_SOURCE, _LOOKUP_TARGET, _LOOKUP_FLAGS = 1, 2, 3, 5
_NAT_KIND, _NAT_FAMILY, _NAT_ADDRESS, _NAT_PORT = 1, 2, 3, 5
_IMMEDIATE_REGISTER, _IMMEDIATE_DATA = 1, 2
_LOOKUP_INVERT = 0x1
_REG_VERDICT, _REG_1 = 0, 1
#: Sixteen registers of four bytes overlay the four of sixteen.
_REG32 = 8
_NAME_WORDS = 4
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DESTINATION_PORT = 2
_CT_STATE, _CT_STATUS = 0, 2
_FIB_ADDRTYPE, _FIB_DADDR, _RTN_LOCAL = 3, 2, 2
_EQUAL, _NOT_EQUAL = 0, 1
_SNAT, _DNAT = 0, 1


class Packet:
    """Matches and translations of the packets of one IP version."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def source_in(self, network: Subnet, *, negate: bool = False) -> bytes:
        """The packet's source address is in a subnet."""
        return self._address_in(self._family.source, network, negate)

    def destination_in(self, network: Subnet, *, negate: bool = False) -> bytes:
        return self._address_in(self._family.destination, network, negate)

    def source_in_set(self, name: str) -> bytes:
        """The source address is in a set of subnets."""
        return _payload(_REG_1, _NETWORK_HEADER, self._family.source, 4 * self._family.words) + _lookup(name)

    def destination_in_port_set(self, name: str) -> bytes:
        """Protocol, destination address and port are in a set."""
        return self._destination(by_address=True) + _lookup(name)

    def translate_by_map(self, name: str, *, by_address: bool) -> bytes:
        """Destination NAT to what a port map has for the packet; where it has nothing, the rule does not match."""
        return (
            self._destination(by_address=by_address)
            + _expression("lookup", text(_LOOKUP_SET, name), number(_LOOKUP_SOURCE, _REG_1), number(_LOOKUP_TARGET, _REG_1))
            + self._nat()
        )

    def translate_source_by_map(self, name: str) -> bytes:
        """Source NAT to what a map of subnets has for the source address; where it has nothing, the rule does not match."""
        return (
            _payload(_REG_1, _NETWORK_HEADER, self._family.source, 4 * self._family.words)
            + _expression("lookup", text(_LOOKUP_SET, name), number(_LOOKUP_SOURCE, _REG_1), number(_LOOKUP_TARGET, _REG_1))
            + _expression("nat", number(_NAT_KIND, _SNAT), number(_NAT_FAMILY, self._family.number), number(_NAT_ADDRESS, _REG_1))
        )

    def translate_to(self, address: Address, port: int) -> bytes:
        """Destination NAT to one address and port."""
        return _immediate(_REG_1, address.packed) + _immediate(_REG32 + self._family.words, struct.pack("!H", port)) + self._nat()

    def destination_is(self, address: Address, protocol: int, port: int) -> bytes:
        """The packet is for a port of one address."""
        return (
            self.destination_in(ipaddress.ip_network(address))
            + _meta(_META_L4PROTO)
            + _compare(bytes([protocol]), False)
            + _payload(_REG_1, _TRANSPORT_HEADER, _DESTINATION_PORT, 2)
            + _compare(struct.pack("!H", port), False)
        )

    def _nat(self) -> bytes:
        """Destination NAT: the address is in the first register, the port behind it."""
        return _expression(
            "nat",
            number(_NAT_KIND, _DNAT),
            number(_NAT_FAMILY, self._family.number),
            number(_NAT_ADDRESS, _REG32),
            number(_NAT_PORT, _REG32 + self._family.words),
        )

    def _destination(self, *, by_address: bool) -> bytes:
        """Loads protocol, destination address if it counts, and port, one behind the other."""
        parts = [_expression("meta", number(_META_REGISTER, _REG32), number(_META_KEY, _META_L4PROTO))]
        port = _REG32 + 1
        if by_address:
            parts.append(_payload(port, _NETWORK_HEADER, self._family.destination, 4 * self._family.words))
            port += self._family.words
        return b"".join([*parts, _payload(port, _TRANSPORT_HEADER, _DESTINATION_PORT, 2)])

    def _address_in(self, field: int, network: Subnet, negate: bool) -> bytes:
        load = _payload(_REG_1, _NETWORK_HEADER, field, 4 * self._family.words)
        return load + _masked(network.netmask.packed) + _compare(network.network_address.packed, negate)


# matches of any packet


def input_interface_in_set(name: str, *, negate: bool = False) -> bytes:
    return _meta(_META_IIFNAME) + _lookup(name, negate=negate)


def output_interface_in_set(name: str, *, negate: bool = False) -> bytes:
    return _meta(_META_OIFNAME) + _lookup(name, negate=negate)


def interfaces_in_set(name: str) -> bytes:
    """The pair of the interface that the packet comes in by and the one that it leaves by is in a set."""
    return _meta(_META_IIFNAME, _REG32) + _meta(_META_OIFNAME, _REG32 + _NAME_WORDS) + _lookup(name)


def connection_state(states: int) -> bytes:
    """The connection is in one of the states (a bit mask)."""
    return _connection(_CT_STATE) + _any_bit(states)


def connection_status(status: int) -> bytes:
    """The connection has one of the marks (a bit mask)."""
    return _connection(_CT_STATUS) + _any_bit(status)


def to_local_address() -> bytes:
    """The destination is an address of this host."""
    load = number(_FIB_REGISTER, _REG_1), number(_FIB_RESULT, _FIB_ADDRTYPE), number(_FIB_FLAGS, _FIB_DADDR)
    return _expression("fib", *load) + _compare(struct.pack("=L", _RTN_LOCAL), False)


# decisions


def verdict(code: int) -> bytes:
    return _immediate_verdict(number(_VERDICT_CODE, code))


def jump(chain: str) -> bytes:
    return _immediate_verdict(number(_VERDICT_CODE, _JUMP), text(_VERDICT_CHAIN, chain))


def masquerade() -> bytes:
    return _expression("masq")


# encoding


def _immediate(register: int, value: bytes) -> bytes:
    data = nested(_IMMEDIATE_DATA, attribute(DATA_VALUE, value))
    return _expression("immediate", number(_IMMEDIATE_REGISTER, register), data)


def _immediate_verdict(*attributes: bytes) -> bytes:
    data = nested(_IMMEDIATE_DATA, nested(_DATA_VERDICT, *attributes))
    return _expression("immediate", number(_IMMEDIATE_REGISTER, _REG_VERDICT), data)


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(LIST_ITEM, text(_EXPRESSION_NAME, name), nested(_EXPRESSION_DATA, *attributes))


def _meta(key: int, register: int = _REG_1) -> bytes:
    return _expression("meta", number(_META_REGISTER, register), number(_META_KEY, key))


def _connection(key: int) -> bytes:
    return _expression("ct", number(_CT_REGISTER, _REG_1), number(_CT_KEY, key))


def _lookup(name: str, *, negate: bool = False) -> bytes:
    flags = [number(_LOOKUP_FLAGS, _LOOKUP_INVERT)] if negate else []
    return _expression("lookup", text(_LOOKUP_SET, name), number(_LOOKUP_SOURCE, _REG_1), *flags)


def _payload(register: int, base: int, offset: int, length: int) -> bytes:
    return _expression(
        "payload",
        number(_PAYLOAD_REGISTER, register),
        number(_PAYLOAD_BASE, base),
        number(_PAYLOAD_OFFSET, offset),
        number(_PAYLOAD_LENGTH, length),
    )


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        number(_BITWISE_SOURCE, _REG_1),
        number(_BITWISE_TARGET, _REG_1),
        number(_BITWISE_LENGTH, len(mask)),
        nested(_BITWISE_MASK, attribute(DATA_VALUE, mask)),
        nested(_BITWISE_XOR, attribute(DATA_VALUE, bytes(len(mask)))),
    )


def _compare(value: bytes, negate: bool) -> bytes:
    return _expression(
        "cmp",
        number(_COMPARE_REGISTER, _REG_1),
        number(_COMPARE_OPERATION, _NOT_EQUAL if negate else _EQUAL),
        nested(_COMPARE_DATA, attribute(DATA_VALUE, value)),
    )


def _any_bit(bits: int) -> bytes:
    """Bits of conntrack are in the host's byte order."""
    return _masked(struct.pack("=L", bits)) + _compare(bytes(4), True)
