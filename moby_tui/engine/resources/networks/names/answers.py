"""Answers of the name server to questions about the containers of a network, as dockerd's resolver gives them.

Questions come from inside containers and are hostile. ``dnslib`` reads them.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence

from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSError, DNSHeader, DNSRecord
from dnslib.buffer import BufferError as DnsBufferError

from moby_tui.engine.resources.networks.names.zone import Address, Entry

_TTL = 600
#: The bytes of a datagram if the question has no larger size (RFC 1035), and the most that is sent.
_PLAIN, _LARGEST = 512, 4096
#: The types of records that are answered for a container's name.
_ANSWERED = ("A", "AAAA", "MX", "SRV")
_REVERSE = {".in-addr.arpa": 4, ".ip6.arpa": 6}


class Malformed(ValueError):
    """A message that is not one question."""


def parse(data: bytes) -> DNSRecord:
    """Reads a message that has one question. Raises ``Malformed``."""
    try:
        record = DNSRecord.parse(data)
    except (DNSError, DnsBufferError, ValueError, IndexError, KeyError, RecursionError, OverflowError) as error:
        raise Malformed(str(error)) from error
    if record.header.qr or len(record.questions) != 1 or record.header.opcode:
        raise Malformed("expected one question")
    return record


def answer(question: DNSRecord, entries: Sequence[Entry], own: Sequence[Entry] = ()) -> DNSRecord | None:
    """The answer from the names on the networks; None for a name that they do not have, and for a type of record that no container can have:
    other name servers are asked then.

    ``entries`` are those of all containers on the networks of the container that asks, ``own`` those of that container itself: its links are
    names for it alone.
    """
    name = str(question.q.qname).lower().removesuffix(".")
    kind = QTYPE.get(question.q.qtype)
    if kind == "PTR":
        return _reverse(question, name, entries)
    if kind not in _ANSWERED:
        return None
    addresses = _linked(name, entries, own) or _addresses(name, entries, own)
    if not addresses:
        return None
    reply = _reply(question)
    if kind == "SRV":
        # dockerd answers with SERVFAIL too: only services of a swarm, _port._protocol.name, have such records
        reply.header.rcode = RCODE.SERVFAIL
    version = {"A": 4, "AAAA": 6}.get(kind, 0)
    chosen = [address for address in addresses if address.version == version]
    random.shuffle(chosen)
    for address in chosen:
        data = A(str(address)) if version == 4 else AAAA(str(address))
        reply.add_answer(RR(question.q.qname, question.q.qtype, ttl=_TTL, rdata=data))
    return reply


def refusal(data: bytes, code: str) -> bytes:
    """The answer with a response code (``SERVFAIL``) and no record; with FORMERR if the message is not one question.

    Empty for a message that is shorter than a header.
    """
    if len(data) < 12:
        return b""
    try:
        question = parse(data)
    except Malformed:
        header = DNSHeader(id=int.from_bytes(data[:2], "big"), qr=1, rcode=RCODE.FORMERR)
        return bytes(DNSRecord(header).pack())
    reply = _reply(question)
    reply.header.rcode = getattr(RCODE, code)
    return bytes(reply.pack())


def fitting(reply: DNSRecord, question: DNSRecord) -> bytes:
    """The answer as a datagram. If it is longer than the client takes, an empty one with the bit TC: the client asks again by TCP."""
    data = bytes(reply.pack())
    if len(data) <= _room(question):
        return data
    short = _reply(question)
    short.header.tc = 1
    return bytes(short.pack())


def _room(question: DNSRecord) -> int:
    """The bytes of a datagram that the client takes (EDNS, RFC 6891)."""
    sizes = [record.rclass for record in question.ar if record.rtype == QTYPE.OPT]
    return min(max([_PLAIN, *map(int, sizes)]), _LARGEST)


def _reply(question: DNSRecord) -> DNSRecord:
    header = DNSHeader(id=question.header.id, qr=1, rd=question.header.rd, ra=1)
    return DNSRecord(header, q=question.q)


def _linked(name: str, entries: Sequence[Entry], own: Sequence[Entry]) -> list[Address]:
    """The addresses of a container to which the asking container has a link of this name: ``alias`` or ``alias.network``."""
    for place in own:
        target = place.links.get(name) or place.links.get(_on_network(name, place))
        addresses = [a for entry in entries if entry.network == place.network and target in entry.names for a in entry.addresses]
        if addresses:
            return addresses
    return []


def _addresses(name: str, entries: Sequence[Entry], own: Sequence[Entry]) -> list[Address]:
    """The addresses of the containers that have this name: ``name`` or ``name.network``.

    A link hides the name on its network: the containers of that network that have the same name do not count.
    """
    plain = [a for entry in entries if name in entry.names and not _is_alias(name, entry, own) for a in entry.addresses]
    return plain or [
        a
        for entry in entries
        if (short := _on_network(name, entry)) in entry.names and not _is_alias(short, entry, own)
        for a in entry.addresses
    ]


def _on_network(name: str, entry: Entry) -> str:
    """The first part of ``name.network``, the network being that of the entry; its name may have dots. Empty for another name."""
    suffix = f".{entry.network.lower()}"
    return name.removesuffix(suffix) if name.endswith(suffix) else ""


def _is_alias(name: str, entry: Entry, own: Sequence[Entry]) -> bool:
    """True if the asking container has a link of this name on the entry's network."""
    return any(name in place.links and place.network == entry.network for place in own)


def _reverse(question: DNSRecord, name: str, entries: Sequence[Entry]) -> DNSRecord | None:
    """The name of the container that has an address; None for a name that is no address of theirs."""
    address = _reversed(name)
    for entry in entries:
        if address is not None and address in entry.addresses and entry.names:
            reply = _reply(question)
            target = PTR(f"{entry.names[0]}.{entry.network}")
            reply.add_answer(RR(question.q.qname, QTYPE.PTR, ttl=_TTL, rdata=target))
            return reply
    return None


def _reversed(name: str) -> Address | None:
    """The address that a name below in-addr.arpa or ip6.arpa stands for; None for another name."""
    for suffix, version in _REVERSE.items():
        if name.endswith(suffix):
            labels = name.removesuffix(suffix).split(".")[::-1]
            text = ".".join(labels) if version == 4 else ":".join("".join(labels[i : i + 4]) for i in range(0, 32, 4))
            try:
                return ipaddress.ip_address(text)
            except ValueError:
                return None
    return None
