"""nftables over nfnetlink (linux/netfilter/nf_tables.h): tables, chains, rules, sets and maps of the ``ip`` and ``ip6`` families.

Every method of ``Table`` returns the bytes of one message; ``batch`` makes a transaction of messages, which the kernel carries out as a
whole or not at all. ``rule_expressions`` makes what a rule consists of.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from moby_tui.engine.kernel.network.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    attribute,
    attributes,
    each_attribute,
    message,
    nested,
    text,
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6

# Hooks (linux/netfilter.h) and the usual priorities (linux/netfilter_ipv4.h).
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = 0, 1, 2, 3, 4
PRIORITY_RAW, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_SRCNAT = -300, -100, 0, 100

DROP, ACCEPT = 0, 1

_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _DELCHAIN = 0, 2, 3, 4, 5
_NEWRULE, _GETRULE, _DELRULE, _NEWSET, _DELSET, _NEWSETELEM, _GETSETELEM, _DELSETELEM = 6, 7, 8, 9, 11, 12, 13, 14
_GETTABLE = 1

# Attributes, by the names of the kernel's header.
_TABLE_NAME, _TABLE_FLAGS = 1, 2
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY = 1, 2
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_SET_TABLE, _SET_NAME, _SET_FLAGS, _SET_KEY_TYPE, _SET_KEY_LENGTH, _SET_DATA_TYPE, _SET_DATA_LENGTH = 1, 2, 3, 4, 5, 6, 7
_SET_ID, _SET_USER_DATA = 10, 13
_ELEMENTS_TABLE, _ELEMENTS_SET, _ELEMENTS = 1, 2, 3
_ELEMENT_KEY, _ELEMENT_DATA, _ELEMENT_FLAGS = 1, 2, 3
LIST_ITEM, DATA_VALUE = 1, 1

_SET_INTERVAL, _SET_MAP = 0x4, 0x8
_ELEMENT_INTERVAL_END = 0x1
#: What nft(8) keeps beside a set to print its keys: names are in the host's byte order (libnftnl, NFTNL_UDATA_SET_KEYBYTEORDER).
_NAMES_IN_HOST_ORDER = struct.pack("=BBL", 0, 4, 1)
# Data types, as the nft program knows them; a concatenation is six bits for each, the last one lowest.
_IPV4_ADDR, _IPV6_ADDR, _INET_PROTO, _INET_SERVICE, _IFNAME = 7, 8, 12, 13, 41
_TYPE_BITS = 6
_IFNAMSIZ = 16


class Hook(NamedTuple):
    """Where a chain hangs: ``kind`` is ``filter`` or ``nat``."""

    kind: str
    point: int
    priority: int


class Family(NamedTuple):
    """What differs between IPv4 and IPv6: the size of an address, where the header has them, and what nft calls their type."""

    number: int
    name: str
    words: int
    source: int
    destination: int
    address_type: int


FAMILIES: dict[int, Family] = {IPV4: Family(IPV4, "ip", 1, 12, 16, _IPV4_ADDR), IPV6: Family(IPV6, "ip6", 4, 8, 24, _IPV6_ADDR)}


def batch(*messages: bytes) -> bytes:
    """A transaction. Its errors are answered one by one; with any, nothing of it has been done."""
    mark = struct.pack("!BBH", socket.AF_UNSPEC, 0, _SUBSYSTEM)
    return b"".join((message(_BATCH_BEGIN, 0, mark), *messages, message(_BATCH_END, 0, mark)))


class Table:
    """One table of one family: every method returns a message about it."""

    def __init__(self, family: int, name: str) -> None:
        self.family = FAMILIES[family]
        self.name = name

    # the table

    def create(self) -> bytes:
        """One that is there stays, and is put to work where it was dormant."""
        return self._message(_NEWTABLE, NLM_F_CREATE, text(_TABLE_NAME, self.name), number(_TABLE_FLAGS, 0))

    def create_new(self) -> bytes:
        """Answered with EEXIST where there is one."""
        return self._message(_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, text(_TABLE_NAME, self.name))

    def get(self) -> bytes:
        """Asks for the table, outside of a transaction; answered with ENOENT if there is none. ``is_dormant`` reads the answer."""
        return self._message(_GETTABLE, 0, text(_TABLE_NAME, self.name))

    def delete(self) -> bytes:
        """With everything in it."""
        return self._message(_DELTABLE, 0, text(_TABLE_NAME, self.name))

    # chains and rules

    def new_chain(self, chain: str, hook: Hook | None = None) -> bytes:
        """A chain; with a hook a base chain, whose policy is to accept. One that is there already stays as it is."""
        attributes = [text(_CHAIN_TABLE, self.name), text(_CHAIN_NAME, chain)]
        if hook is not None:
            attributes.append(nested(_CHAIN_HOOK, number(_HOOK_NUMBER, hook.point), number(_HOOK_PRIORITY, hook.priority)))
            attributes.append(number(_CHAIN_POLICY, ACCEPT))
            attributes.append(text(_CHAIN_TYPE, hook.kind))
        return self._message(_NEWCHAIN, NLM_F_CREATE, *attributes)

    def get_chain(self, chain: str) -> bytes:
        """Asks for a chain, outside of a transaction; answered with ENOENT if there is none."""
        return self._message(_GETCHAIN, 0, text(_CHAIN_TABLE, self.name), text(_CHAIN_NAME, chain))

    def list_chains(self) -> bytes:
        """Asks for the chains of all tables of the family, outside of a transaction; ``chain_of`` reads the answers."""
        return self._message(_GETCHAIN, NLM_F_DUMP)

    def delete_chain(self, chain: str) -> bytes:
        """Answered with EBUSY while a rule jumps to it or, on older kernels, while it has rules."""
        return self._message(_DELCHAIN, 0, text(_CHAIN_TABLE, self.name), text(_CHAIN_NAME, chain))

    def new_rule(self, chain: str, *expressions: bytes) -> bytes:
        """A rule at the end of a chain; each expression is one or more of ``rule_expressions``."""
        names = text(_RULE_TABLE, self.name), text(_RULE_CHAIN, chain)
        return self._message(_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, *names, nested(_RULE_EXPRESSIONS, *expressions))

    def list_rules(self) -> bytes:
        """Asks for the rules of the table, outside of a transaction; ``rule_of`` reads the answers."""
        return self._message(_GETRULE, NLM_F_DUMP, text(_RULE_TABLE, self.name))

    def flush_chain(self, chain: str) -> bytes:
        """Deletes the chain's rules."""
        return self._message(_DELRULE, 0, text(_RULE_TABLE, self.name), text(_RULE_CHAIN, chain))

    # sets and maps

    def new_name_set(self, name: str) -> bytes:
        """A set of interface names."""
        return self._new_set(name, (_IFNAME,), _IFNAMSIZ)

    def new_name_pair_set(self, name: str) -> bytes:
        """A set of pairs: the interface that a packet comes in by, and the one that it leaves by."""
        return self._new_set(name, (_IFNAME, _IFNAME), 2 * _IFNAMSIZ)

    def new_subnet_set(self, name: str) -> bytes:
        """A set of subnets, none of which overlap."""
        return self._new_set(name, (self.family.address_type,), 4 * self.family.words, flags=_SET_INTERVAL)

    def new_port_set(self, name: str) -> bytes:
        """A set of (protocol, address, port)."""
        return self._new_set(name, (_INET_PROTO, self.family.address_type, _INET_SERVICE), 8 + 4 * self.family.words)

    def new_port_map(self, name: str, *, by_address: bool) -> bytes:
        """A map from (protocol, port), or (protocol, address, port), to (address, port)."""
        address = (self.family.address_type,)
        key = (_INET_PROTO, *(address if by_address else ()), _INET_SERVICE)
        length = 8 + (4 * self.family.words if by_address else 0)
        value = (self.family.address_type, _INET_SERVICE), 4 * self.family.words + 4
        return self._new_set(name, key, length, flags=_SET_MAP, value=value)

    def new_source_map(self, name: str) -> bytes:
        """A map from subnets, none of which overlap, to an address."""
        value = (self.family.address_type,), 4 * self.family.words
        return self._new_set(
            name, (self.family.address_type,), 4 * self.family.words, flags=_SET_INTERVAL | _SET_MAP, value=value
        )

    def delete_set(self, name: str) -> bytes:
        """Answered with EBUSY while a rule looks into it."""
        return self._message(_DELSET, 0, text(_SET_TABLE, self.name), text(_SET_NAME, name))

    def add_keys(self, name: str, keys: Iterable[bytes]) -> bytes:
        """Puts keys into a set; one that is there already is no error."""
        return self._elements(_NEWSETELEM, NLM_F_CREATE, name, [_key(key) for key in keys])

    def add_pairs(self, name: str, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Answered with EEXIST or EBUSY where a key is there with another value; the same pair again is no error."""
        items = [_key(key) + nested(_ELEMENT_DATA, attribute(DATA_VALUE, value)) for key, value in pairs]
        return self._elements(_NEWSETELEM, NLM_F_CREATE, name, items)

    def add_subnets(self, name: str, subnets: Iterable[Subnet]) -> bytes:
        """Answered with EEXIST where one overlaps what is there."""
        return self._elements(_NEWSETELEM, NLM_F_CREATE, name, _intervals(subnets))

    def add_sources(self, name: str, address: Address, subnets: Iterable[Subnet]) -> bytes:
        """Maps subnets to an address. Answered with EEXIST where one overlaps what is there."""
        return self._elements(_NEWSETELEM, NLM_F_CREATE, name, _intervals(subnets, address.packed))

    def list_elements(self, name: str) -> bytes:
        """Asks for the elements of a set or map, outside of a transaction; answered with ENOENT if there is none."""
        return self._message(_GETSETELEM, NLM_F_DUMP, text(_ELEMENTS_TABLE, self.name), text(_ELEMENTS_SET, name))

    def delete_keys(self, name: str, keys: Iterable[bytes]) -> bytes:
        """Answered with ENOENT where a key is not there."""
        return self._elements(_DELSETELEM, 0, name, [_key(key) for key in keys])

    def delete_subnets(self, name: str, subnets: Iterable[Subnet]) -> bytes:
        """Answered with ENOENT where one is not there."""
        return self._elements(_DELSETELEM, 0, name, _intervals(subnets))

    def _new_set(
        self, name: str, key: tuple[int, ...], length: int, *, flags: int = 0, value: tuple[tuple[int, ...], int] | None = None
    ) -> bytes:
        attributes = [
            text(_SET_TABLE, self.name),
            text(_SET_NAME, name),
            number(_SET_FLAGS, flags),
            number(_SET_KEY_TYPE, _concatenation(key)),
            number(_SET_KEY_LENGTH, length),
            number(_SET_ID, 1),
            *([attribute(_SET_USER_DATA, _NAMES_IN_HOST_ORDER)] if key == (_IFNAME,) else []),
        ]
        if value is not None:
            attributes += [number(_SET_DATA_TYPE, _concatenation(value[0])), number(_SET_DATA_LENGTH, value[1])]
        return self._message(_NEWSET, NLM_F_CREATE, *attributes)

    def _elements(self, kind: int, flags: int, name: str, items: Iterable[bytes]) -> bytes:
        names = text(_ELEMENTS_TABLE, self.name), text(_ELEMENTS_SET, name)
        return self._message(kind, flags, *names, nested(_ELEMENTS, *(nested(LIST_ITEM, item) for item in items)))

    # keys and values

    def port_key(self, protocol: int, port: int, address: Address | None = None) -> bytes:
        return struct.pack("!B3x", protocol) + (address.packed if address else b"") + struct.pack("!H2x", port)

    def port_value(self, address: Address, port: int) -> bytes:
        return address.packed + struct.pack("!H2x", port)

    def _message(self, kind: int, flags: int, *attributes: bytes) -> bytes:
        return message(_SUBSYSTEM << 8 | kind, flags, struct.pack("!BBH", self.family.number, 0, 0), *attributes)


def chain_of(answer: bytes) -> tuple[str, str]:
    """Table and chain in the body of an answer to ``Table.list_chains``."""
    values = attributes(answer[4:])
    # other programs' names need not be UTF-8
    return values.get(_CHAIN_TABLE, b"")[:-1].decode(errors="replace"), values.get(_CHAIN_NAME, b"")[:-1].decode(errors="replace")


def base_of(answer: bytes) -> tuple[bytes, bytes, bytes]:
    """Type, hook and policy in the body of an answer about a chain, as the kernel has them; empty if it is no base chain."""
    values = attributes(answer[4:])
    return values.get(_CHAIN_TYPE, b""), values.get(_CHAIN_HOOK, b""), values.get(_CHAIN_POLICY, b"")


def rule_of(answer: bytes) -> tuple[str, bytes]:
    """Chain and expressions, as the kernel encodes them, in the body of an answer to ``Table.list_rules``."""
    values = attributes(answer[4:])
    return values.get(_RULE_CHAIN, b"")[:-1].decode(errors="replace"), values.get(_RULE_EXPRESSIONS, b"")


def is_dormant(answer: bytes) -> bool:
    """Whether the table that an answer to ``Table.get`` is about is switched off."""
    return attributes(answer[4:]).get(_TABLE_FLAGS, bytes(4)) != bytes(4)


def elements_of(body: bytes) -> list[tuple[str, bytes]]:
    """The set, and key, value and flags, of each element in an answer to ``Table.list_elements``, or in a message that adds some."""
    values = attributes(body[4:])
    name = values.get(_ELEMENTS_SET, b"")[:-1].decode(errors="replace")
    return [(name, _element_of(item)) for _, item in each_attribute(values.get(_ELEMENTS, b""))]


def _element_of(item: bytes) -> bytes:
    parts = attributes(item)
    key, value = (attributes(parts.get(part, b"")).get(DATA_VALUE, b"") for part in (_ELEMENT_KEY, _ELEMENT_DATA))
    return b"".join((key, value, parts.get(_ELEMENT_FLAGS, b"").replace(bytes(4), b"")))


def name_key(*names: str) -> bytes:
    """The key of an interface's name, or of a pair of them."""
    return b"".join(name.encode().ljust(_IFNAMSIZ, b"\0") for name in names)


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits; a negative value as its two's complement."""
    return attribute(kind, struct.pack("!L", value & 0xFFFFFFFF))


def _concatenation(types: tuple[int, ...]) -> int:
    joined = 0
    for kind in types:
        joined = joined << _TYPE_BITS | kind
    return joined


def _key(key: bytes) -> bytes:
    return nested(_ELEMENT_KEY, attribute(DATA_VALUE, key))


def _intervals(subnets: Iterable[Subnet], value: bytes = b"") -> list[bytes]:
    """The first address of each subnet, with the value in a map, and behind its last one the mark of an end."""
    items = []
    data = nested(_ELEMENT_DATA, attribute(DATA_VALUE, value)) if value else b""
    for subnet in subnets:
        items.append(_key(subnet.network_address.packed) + data)
        after = int(subnet.broadcast_address) + 1
        if after < 1 << subnet.max_prefixlen:
            end = after.to_bytes(subnet.max_prefixlen // 8, "big")
            items.append(_key(end) + number(_ELEMENT_FLAGS, _ELEMENT_INTERVAL_END))
    return items
