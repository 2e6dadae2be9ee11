"""Netlink (netlink(7)): writing messages, sending them, and undoing a container's network from prepared bytes.

A few dozen lines of encoding stand here instead of a netlink library because they lie on the path of every container's
start, and in every monitor: importing such a library takes longer than starting the container.

The kernel handles rtnetlink and nfnetlink requests inside ``sendmsg``: when it returns, everything has been done and every
answer is in the socket's buffer. Errors are always answered, so a request without an answer has succeeded.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence

from moby_tui.engine.protocol.network import TeardownStep

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE = 1 << 16

#: Errors that mean "undone already": no such element, table or file; no such interface.
_ABSENT = (errno.ENOENT, errno.ENODEV)


def message(kind: int, flags: int, *body: bytes) -> bytes:
    """One request: its header, and a body of the family's own header and attributes."""
    payload = b"".join(body)
    return _HEADER.pack(_HEADER.size + len(payload), kind, NLM_F_REQUEST | flags, 0, 0) + payload + bytes(-len(payload) % 4)


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """A string attribute, closed by a zero byte."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of an answer by their type; of a repeated one the last."""
    return dict(each_attribute(data))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each attribute, in their order."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        yield kind & _NLA_TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)


def open_socket(protocol: int) -> socket.socket:
    """A netlink socket in the calling thread's network namespace, where it stays whatever the thread does later."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        link.bind((0, 0))
        link.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        link.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
    except BaseException:
        link.close()
        raise
    return link


def subscribe(protocol: int, group: int) -> socket.socket:
    """A netlink socket that is told of what a multicast group is told. Raises ``OSError``."""
    link = open_socket(protocol)
    try:
        link.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
    except BaseException:
        link.close()
        raise
    return link


def request(link: socket.socket, data: bytes) -> list[bytes]:
    """Sends messages in one piece and returns the bodies of the answers.

    Raises ``OSError`` with the first error among the answers, in the kernel's own words where it has some (extended ack).
    """
    link.sendto(data, (0, 0))
    answers: list[bytes] = []
    failure: OSError | None = None
    while True:
        try:
            received = link.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
        for kind, flags, body in messages(received):
            if kind == _NLMSG_ERROR:
                failure = failure or _failure(flags, body)
            elif kind != _NLMSG_DONE:
                answers.append(body)
    if failure is not None:
        raise failure
    return answers


def send(protocol: int, data: bytes) -> None:
    """Sends prepared messages over a socket of their own. Raises ``OSError`` as ``request`` does."""
    with open_socket(protocol) as link:
        request(link, data)


def run_teardown(steps: Iterable[TeardownStep], descriptors: Sequence[int] = ()) -> None:
    """Undoes a container's network by the steps made with it, in their order; what is undone already is passed over.

    ``close`` is an index into ``descriptors``; ``rmdir`` leaves a folder that is not empty.
    Every one is tried; the first failure is raised (``OSError``) at the end.
    """
    failure: OSError | None = None
    for step in steps:
        try:
            _undo(step, descriptors)
        except OSError as error:
            if error.errno not in _ABSENT:
                failure = failure or error
    if failure is not None:
        raise failure


def join_batches(batches: Iterable[bytes]) -> bytes:
    """One transaction of nfnetlink that does what these do, in their order (each one of ``nftables.batch``)."""
    first, *others = (list(split(batch)) for batch in batches)
    begin, *changes, end = first
    return b"".join((begin, *changes, *(change for batch in others for change in batch[1:-1]), end))


def split(data: bytes) -> Iterable[bytes]:
    """Each message in a piece of bytes, whole."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        size = max((_HEADER.unpack_from(data, offset)[0] + 3) & ~3, _HEADER.size)
        yield data[offset : offset + size]
        offset += size


def _undo(step: TeardownStep, descriptors: Sequence[int]) -> None:
    if step.netlink is not None:
        send(step.netlink, bytes.fromhex(step.data or ""))
    elif step.unlink is not None:
        os.unlink(step.unlink)
    elif step.rmdir is not None:
        _remove_empty(step.rmdir)
    elif step.close is not None and step.close < len(descriptors):
        os.close(descriptors[step.close])


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def messages(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    """Type, flags and body of each message in a piece of bytes."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, data[offset + _HEADER.size : offset + length]
        offset += max((length + 3) & ~3, _HEADER.size)


def _failure(flags: int, body: bytes) -> OSError | None:
    """The error in an NLMSG_ERROR message; None if the message is an acknowledgement."""
    code = -struct.unpack_from("=l", body)[0]
    if not code:
        return None
    words = os.strerror(code)
    if flags & _NLM_F_ACK_TLVS and (more := attributes(body[4 + _HEADER.size :]).get(_NLMSGERR_ATTR_MSG)):
        words = f"{words}: {more[:-1].decode(errors='replace')}"
    return OSError(code, words)
