"""How many transactions nftables has had in this network namespace (linux/netfilter/nf_tables.h, NFT_MSG_GETGEN)."""

from __future__ import annotations

import socket
import struct

from moby_tui.engine.kernel.network.netlink import NETLINK_NETFILTER, attributes, message, open_socket, request

#: The multicast group that is told of every transaction (linux/netfilter/nfnetlink.h, NFNLGRP_NFTABLES).
CHANGES = 7
_GETGEN = 10 << 8 | 16
_ID = 1


def generation() -> int:
    """Grows with each change of any table. Raises ``OSError``."""
    with open_socket(NETLINK_NETFILTER) as link:
        answer = request(link, message(_GETGEN, 0, struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)))[0]
    return int.from_bytes(attributes(answer[4:])[_ID], "big")
