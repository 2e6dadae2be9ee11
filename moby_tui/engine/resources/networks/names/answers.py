"""What the name service says to a question about the containers of a network, as dockerd's resolver says it.

Questions come from inside containers and are hostile; ``dnslib`` reads them.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence

from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSError, DNSHeader, DNSRecord
from dnslib.buffer import BufferError as DnsBufferError

from moby_tui.engine.resources.networks.names.zone import Address, Entry

_TTL = 600
#: What a datagram may hold where the question says nothing else (rfc 1035), and what we send at the most.
_PLAIN, _LARGEST = 512, 4096
_REVERSE = {".in-addr.arpa": 4, ".ip6.arpa": 6}


class Malformed(ValueError):
    """What came is no question."""


def parse(data: bytes) -> DNSRecord:
    """The question in a message. Raises ``Malformed``."""
    try:
        record = DNSRecord.parse(data)
    except (DNSError, DnsBufferError, ValueError, IndexError, KeyError, RecursionError, OverflowError) as error:
        raise Malformed(str(error)) from error
    if record.header.qr or len(record.questions) != 1 or record.header.opcode:
        raise Malformed("expected one question")
    return record


def answer(question: DNSRecord, entries: Sequence[Entry], own: Sequence[Entry] = ()) -> DNSRecord | None:
    """The answer from what the networks know; None where they do not know the name, which is then others' to answer.

    ``own`` are the entries of the container that asks: its links count for it alone.
    """
    name = str(question.q.qname).lower().removesuffix(".")
    kind = QTYPE.get(question.q.qtype)
    if kind == "PTR":
        return _reverse(question, name, entries)
    found = _linked(name, entries, own) or _addresses(name, entries, own)
    if not found:
        return None
    reply = _reply(question)
    if kind == "SRV":
        # a service of a cluster would be asked for as _port._protocol.name
        reply.header.rcode = RCODE.SERVFAIL
    version = {"A": 4, "AAAA": 6}.get(kind, 0)
    chosen = [address for address in found if address.version == version]
    random.shuffle(chosen)
    for address in chosen:
        data = A(str(address)) if version == 4 else AAAA(str(address))
        reply.add_answer(RR(question.q.qname, question.q.qtype, ttl=_TTL, rdata=data))
    return reply


def refusal(data: bytes, code: str) -> bytes:
    """An answer that says only that there is none; nothing for what is no message at all."""
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
    """The answer as a datagram; one that is too long for whoever asked says so, and is asked for again by TCP."""
    data = bytes(reply.pack())
    if len(data) <= _room(question):
        return data
    short = _reply(question)
    short.header.tc = 1
    return bytes(short.pack())


def _room(question: DNSRecord) -> int:
    sizes = [record.rclass for record in question.ar if record.rtype == QTYPE.OPT]
    return min(max([_PLAIN, *map(int, sizes)]), _LARGEST)


def _reply(question: DNSRecord) -> DNSRecord:
    header = DNSHeader(id=question.header.id, qr=1, rd=question.header.rd, ra=1)
    return DNSRecord(header, q=question.q)


def _linked(name: str, entries: Sequence[Entry], own: Sequence[Entry]) -> list[Address]:
    """By an alias of the container that asks, or by one and the network behind it."""
    first, _, last = name.rpartition(".")
    for place in own:
        target = place.links.get(name) or (place.links.get(first) if place.network.lower() == last else None)
        found = [a for entry in entries if entry.network == place.network and target in entry.names for a in entry.addresses]
        if found:
            return found
    return []


def _addresses(name: str, entries: Sequence[Entry], own: Sequence[Entry]) -> list[Address]:
    """By a name, or by a name and the network behind it; one that the container uses as an alias on a network means nobody else there."""
    found = [a for entry in entries if name in entry.names and not _is_alias(name, entry, own) for a in entry.addresses]
    first, _, network = name.rpartition(".")
    return found or [
        a
        for entry in entries
        if entry.network.lower() == network and first in entry.names and not _is_alias(first, entry, own)
        for a in entry.addresses
    ]


def _is_alias(name: str, entry: Entry, own: Sequence[Entry]) -> bool:
    return any(name in place.links and place.network == entry.network for place in own)


def _reverse(question: DNSRecord, name: str, entries: Sequence[Entry]) -> DNSRecord | None:
    address = _reversed(name)
    for entry in entries:
        if address is not None and address in entry.addresses and entry.names:
            reply = _reply(question)
            target = PTR(f"{entry.names[0]}.{entry.network}")
            reply.add_answer(RR(question.q.qname, QTYPE.PTR, ttl=_TTL, rdata=target))
            return reply
    return None


def _reversed(name: str) -> Address | None:
    """The address in a name below in-addr.arpa or ip6.arpa."""
    for suffix, version in _REVERSE.items():
        if name.endswith(suffix):
            labels = name.removesuffix(suffix).split(".")[::-1]
            text = ".".join(labels) if version == 4 else ":".join("".join(labels[i : i + 4]) for i in range(0, 32, 4))
            try:
                return ipaddress.ip_address(text)
            except ValueError:
                return None
    return None
