"""A container's sockets for the name service, in its network namespace. An engine makes them when it starts the container.

The kernel chooses their ports. An nftables table in the namespace redirects to them what is sent to 127.0.0.11:53, so that port 53 stays free
for a name server that runs in the container.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.kernel.network import nftables as nft
from moby_tui.engine.kernel.network import rule_expressions as rule
from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, send

ADDRESS = IPv4Address("127.0.0.11")
_PORT = 53
_BACKLOG = 64


def open_in(namespace: int) -> list[int]:
    """Makes the sockets in the network namespace with this descriptor.

    Returns the descriptors of a datagram socket and of a listening stream socket, both non-blocking. Raises ``OSError``.
    """
    return netns.call(namespace, _open)


def _open() -> list[int]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        datagrams.bind((str(ADDRESS), 0))
        stream.bind((str(ADDRESS), 0))
        stream.listen(_BACKLOG)
        _redirect_to(datagrams.getsockname()[1], stream.getsockname()[1])
    except BaseException:
        datagrams.close()
        stream.close()
        raise
    return [datagrams.detach(), stream.detach()]


def _redirect_to(datagram_port: int, stream_port: int) -> None:
    """Makes the table that redirects questions to these ports; one that an earlier call has left is replaced.

    A replacement takes the kernel several milliseconds: it waits until no processor looks into what it deletes (RCU).
    """
    table = nft.Table(nft.IPV4, "moby-names")
    packet = rule.Packet(table.family)
    rules = [
        table.new_rule("output", packet.destination_is(ADDRESS, protocol, _PORT), packet.translate_to(ADDRESS, port))
        for protocol, port in ((socket.IPPROTO_UDP, datagram_port), (socket.IPPROTO_TCP, stream_port))
    ]
    hook = nft.Hook("nat", nft.OUTPUT, nft.PRIORITY_DSTNAT)
    content = [table.new_chain("output", hook), *rules]
    try:
        send(NETLINK_NETFILTER, nft.batch(table.create_new(), *content))
    except FileExistsError:
        send(NETLINK_NETFILTER, nft.batch(table.delete(), table.create(), *content))
