"""Which ports are listened on in a network namespace: /proc/PID/net (proc_pid_net(5))."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A TCP socket that listens, and a UDP socket that is connected to nobody (linux/net/tcp_states.h).
_STATES = {"tcp": "0A", "udp": "07"}


class Listener(NamedTuple):
    """A socket that takes what comes to a port. ``inode`` names it among a process's descriptors."""

    protocol: str
    address: Address
    port: int
    inode: int


def listeners(pid: int) -> list[Listener]:
    """Those of the network namespace that a process is in. Raises ``OSError`` if the process is gone."""
    sockets = []
    for protocol, state in _STATES.items():
        for version in ("", "6"):
            with suppress(FileNotFoundError), open(f"/proc/{pid}/net/{protocol}{version}", encoding="ascii") as file:
                sockets += [_listener(protocol, fields) for line in file if (fields := line.split())[3:4] == [state]]
    return sockets


def sockets(pids: Iterable[int]) -> set[int]:
    """The inodes of all sockets that processes have open; processes that are gone have none."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{name}")
                    if target.startswith("socket:["):
                        inodes.add(int(target[8:-1]))
    return inodes


def _listener(protocol: str, fields: list[str]) -> Listener:
    address, _, port = fields[1].partition(":")
    # words of four bytes, each in the host's byte order
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    packed = struct.pack(f"={len(words)}L", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return Listener(protocol, ipaddress.ip_address(socket.inet_ntop(family, packed)), int(port, 16), int(fields[9]))
