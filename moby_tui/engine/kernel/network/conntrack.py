"""Connections that the kernel tracks (linux/netfilter/nfnetlink_conntrack.h), IPv4."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from moby_tui.engine.kernel.network.netlink import (
    NETLINK_NETFILTER,
    NLM_F_DUMP,
    attribute,
    attributes,
    message,
    open_socket,
    request,
)

_SUBSYSTEM = 1
_GET, _DELETE = 1, 2
_NLA_F_NESTED = 0x8000
_TUPLE_ORIG, _ZONE = 1, 18
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_V4_DST = 2
_PROTO_NUM, _PROTO_DST_PORT = 1, 3


def forget(protocol: int, port: int, address: bytes = b"") -> None:
    """Deletes the connections that were made to a port, of one address or (empty) of any. Raises ``OSError``."""
    with open_socket(NETLINK_NETFILTER) as link:
        for answer in request(link, _message(_GET, NLM_F_DUMP)):
            tuple_attributes = attributes(answer[4:])
            if _leads_to(tuple_attributes.get(_TUPLE_ORIG, b""), protocol, port, address):
                with suppress(FileNotFoundError):
                    request(link, _message(_DELETE, 0, *_identity(tuple_attributes)))


def _leads_to(tuple_: bytes, protocol: int, port: int, address: bytes) -> bool:
    ends = attributes(tuple_)
    target, transport = attributes(ends.get(_TUPLE_IP, b"")), attributes(ends.get(_TUPLE_PROTO, b""))
    return (
        transport.get(_PROTO_NUM) == bytes([protocol])
        and transport.get(_PROTO_DST_PORT) == struct.pack("!H", port)
        and address in (b"", target.get(_IP_V4_DST))
    )


def _identity(found: dict[int, bytes]) -> list[bytes]:
    identity = [attribute(_TUPLE_ORIG | _NLA_F_NESTED, found[_TUPLE_ORIG])]
    if _ZONE in found:
        identity.append(attribute(_ZONE, found[_ZONE]))
    return identity


def _message(kind: int, flags: int, *attributes: bytes) -> bytes:
    return message(_SUBSYSTEM << 8 | kind, flags, struct.pack("!BBH", socket.AF_INET, 0, 0), *attributes)
