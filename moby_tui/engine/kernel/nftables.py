"""nftables over nfnetlink (linux/netfilter/nf_tables.h): tables, chains, rules and maps of the ``ip`` family.

Every function returns the bytes of one message, or of one expression of a rule; ``batch`` makes a transaction of messages,
which the kernel carries out as a whole or not at all. The expressions are those that ``nft --debug=netlink`` shows.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from moby_tui.engine.kernel.netlink import NLM_F_APPEND, NLM_F_CREATE, attribute, message, nested, text

# Hooks (linux/netfilter.h) and the usual priorities (linux/netfilter_ipv4.h).
PREROUTING, FORWARD, OUTPUT, POSTROUTING = 0, 2, 3, 4
PRIORITY_RAW, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_SRCNAT = -300, -100, 0, 100

DROP, ACCEPT = 0, 1
_JUMP = -3

#: Offsets in the IPv4 header.
SOURCE, DESTINATION = 12, 16

ESTABLISHED, RELATED = 0x2, 0x4
STATUS_DNAT = 0x20

_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _NEWRULE, _NEWSET, _NEWSETELEM, _DELSETELEM = 0, 2, 3, 4, 6, 9, 12, 14
_SET_MAP = 0x8
# Data types, as the nft program knows them; a concatenation is six bits for each, the last one lowest.
_IPV4_ADDR, _INET_PROTO, _INET_SERVICE = 7, 12, 13
_REG_VERDICT, _REG_1 = 0, 1
_REG32 = 8
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_CT_STATE, _CT_STATUS = 0, 2
_FIB_ADDRTYPE, _FIB_DADDR, _RTN_LOCAL = 3, 2, 2
_EQUAL, _NOT_EQUAL = 0, 1
_DNAT = 1
_IFNAMSIZ = 16


class Hook(NamedTuple):
    """Where a chain hangs: ``kind`` is ``filter`` or ``nat``."""

    kind: str
    point: int
    priority: int


# ---- transactions


def batch(*messages: bytes) -> bytes:
    """A transaction. Its errors are answered one by one; with any, nothing of it has been done."""
    mark = struct.pack("!BBH", socket.AF_UNSPEC, 0, _SUBSYSTEM)
    return b"".join((message(_BATCH_BEGIN, 0, mark), *messages, message(_BATCH_END, 0, mark)))


def new_table(table: str) -> bytes:
    return _message(_NEWTABLE, NLM_F_CREATE, text(1, table))


def delete_table(table: str) -> bytes:
    """With everything in it."""
    return _message(_DELTABLE, 0, text(1, table))


def new_chain(table: str, chain: str, hook: Hook | None = None) -> bytes:
    """A chain; with a hook a base chain, whose policy is to accept."""
    attributes = [text(1, table), text(3, chain)]
    if hook is not None:
        attributes.append(nested(4, _number(1, hook.point), _number(2, hook.priority)))
        attributes.append(_number(5, ACCEPT))
        attributes.append(text(7, hook.kind))
    return _message(_NEWCHAIN, NLM_F_CREATE, *attributes)


def get_chain(table: str, chain: str) -> bytes:
    """Asks for a chain, outside of a transaction; answered with ENOENT where there is none."""
    return _message(_GETCHAIN, 0, text(1, table), text(3, chain))


def new_rule(table: str, chain: str, *expressions: bytes) -> bytes:
    """A rule at the end of a chain; each expression is one or more of those below."""
    return _message(_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, text(1, table), text(2, chain), nested(4, *expressions))


# ---- the maps from published ports to containers


def new_port_map(table: str, name: str, *, by_address: bool) -> bytes:
    """A map from (protocol, port), or (protocol, address, port), to (address, port)."""
    if by_address:
        kind, length = _INET_PROTO << 12 | _IPV4_ADDR << 6 | _INET_SERVICE, 12
    else:
        kind, length = _INET_PROTO << 6 | _INET_SERVICE, 8
    return _message(
        _NEWSET,
        NLM_F_CREATE,
        text(1, table),
        text(2, name),
        _number(3, _SET_MAP),
        _number(4, kind),
        _number(5, length),
        _number(6, _IPV4_ADDR << 6 | _INET_SERVICE),
        _number(7, 8),
        _number(10, 1),
    )


def port_key(protocol: int, port: int, address: bytes = b"") -> bytes:
    return struct.pack("!B3x", protocol) + address + struct.pack("!H2x", port)


def port_value(address: bytes, port: int) -> bytes:
    return struct.pack("!4sH2x", address, port)


def add_elements(table: str, name: str, elements: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Answered with EEXIST or EBUSY where a key is there with another value; the same pair again is no error."""
    items = (nested(1, nested(1, attribute(1, key)), nested(2, attribute(1, value))) for key, value in elements)
    return _message(_NEWSETELEM, NLM_F_CREATE, text(1, table), text(2, name), nested(3, *items))


def delete_elements(table: str, name: str, keys: Iterable[bytes]) -> bytes:
    """Answered with ENOENT where a key is not there."""
    items = (nested(1, nested(1, attribute(1, key))) for key in keys)
    return _message(_DELSETELEM, 0, text(1, table), text(2, name), nested(3, *items))


# ---- expressions: matches


def input_interface(name: str, *, negate: bool = False) -> bytes:
    return _load("meta", _number(1, _REG_1), _number(2, _META_IIFNAME)) + _compare(_interface(name), negate)


def output_interface(name: str, *, negate: bool = False) -> bytes:
    return _load("meta", _number(1, _REG_1), _number(2, _META_OIFNAME)) + _compare(_interface(name), negate)


def address_in(field: int, network: bytes, mask: bytes, *, negate: bool = False) -> bytes:
    """The source or destination address is in a network."""
    return _payload(_REG_1, _NETWORK_HEADER, field, 4) + _masked(mask) + _compare(network, negate)


def connection_state(states: int) -> bytes:
    """The connection is in one of the states (a bit mask)."""
    return _load("ct", _number(1, _REG_1), _number(2, _CT_STATE)) + _any_bit(states)


def connection_status(status: int) -> bytes:
    """The connection has one of the marks (a bit mask)."""
    return _load("ct", _number(1, _REG_1), _number(2, _CT_STATUS)) + _any_bit(status)


def to_local_address() -> bytes:
    """The destination is an address of this host."""
    local = struct.pack("=L", _RTN_LOCAL)
    return _load("fib", _number(1, _REG_1), _number(2, _FIB_ADDRTYPE), _number(3, _FIB_DADDR)) + _compare(local, False)


# ---- expressions: statements


def verdict(code: int) -> bytes:
    return _load("immediate", _number(1, _REG_VERDICT), nested(2, nested(2, _number(1, code))))


def jump(chain: str) -> bytes:
    return _load("immediate", _number(1, _REG_VERDICT), nested(2, nested(2, _number(1, _JUMP), text(2, chain))))


def masquerade() -> bytes:
    return _load("masq")


def translate_by_map(name: str, *, by_address: bool) -> bytes:
    """Destination NAT to what a port map has for the packet; where it has nothing, the rule does not match."""
    key = [_load("meta", _number(1, _REG32), _number(2, _META_L4PROTO))]
    if by_address:
        key.append(_payload(_REG32 + 1, _NETWORK_HEADER, DESTINATION, 4))
    key.append(_payload(_REG32 + len(key), _TRANSPORT_HEADER, 2, 2))
    return b"".join(key) + (
        _load("lookup", text(1, name), _number(2, _REG_1), _number(3, _REG_1))
        + _load("nat", _number(1, _DNAT), _number(2, socket.AF_INET), _number(3, _REG32), _number(5, _REG32 + 1))
    )


# ---- encoding


def _message(kind: int, flags: int, *attributes: bytes) -> bytes:
    return message(_SUBSYSTEM << 8 | kind, flags, struct.pack("!BBH", socket.AF_INET, 0, 0), *attributes)


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!L", value & 0xFFFFFFFF))


def _load(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _payload(register: int, base: int, offset: int, length: int) -> bytes:
    return _load("payload", _number(1, register), _number(2, base), _number(3, offset), _number(4, length))


def _masked(mask: bytes) -> bytes:
    zero = attribute(1, bytes(len(mask)))
    return _load(
        "bitwise", _number(1, _REG_1), _number(2, _REG_1), _number(3, len(mask)), nested(4, attribute(1, mask)), nested(5, zero)
    )


def _compare(value: bytes, negate: bool) -> bytes:
    return _load("cmp", _number(1, _REG_1), _number(2, _NOT_EQUAL if negate else _EQUAL), nested(3, attribute(1, value)))


def _any_bit(bits: int) -> bytes:
    """Bits of conntrack are in the host's byte order."""
    return _masked(struct.pack("=L", bits)) + _compare(bytes(4), True)


def _interface(name: str) -> bytes:
    return name.encode().ljust(_IFNAMSIZ, b"\0")
