"""The host's own interfaces and routes: asked for and made by ``links.py``, in a process of its own.

That is needed once a boot, when the bridge is made. pyroute2, which does it, takes longer to import than a container to start, and a
daemon would hold its nine megabytes for as long as it lives. What every start does goes out as prepared messages instead
(``kernel/rtnetlink.py``).
"""

from __future__ import annotations

import errno
import json
import sys
from ipaddress import IPv4Address, IPv4Network
from typing import Any

#: How the frozen program, which has no ``-m``, is told to be that process.
COMMAND = "__links__"


def routes() -> list[tuple[IPv4Network, int]]:
    """Destination and interface index (0: none) of every IPv4 route, in all tables. Blocking. Raises ``OSError``."""
    return [(IPv4Network(network), index) for network, index in _ask("routes")]


def make_bridge(name: str, mac: bytes, mtu: int, address: IPv4Address, subnet: IPv4Network) -> None:
    """A bridge with an address, up; what is there already is left so. Blocking. Raises ``OSError``.

    A fixed hardware address keeps it from taking over, and losing, those of its ports. What does not fit through the interface of the
    default route does not fit through it either, nor do more than ``mtu`` bytes: nothing then need be fragmented.
    """
    _ask("make_bridge", name, mac.hex(":"), mtu, str(address), str(subnet))


def _ask(what: str, *arguments: object) -> Any:
    """In the network namespace of the calling thread, which a child is born into."""
    import subprocess

    module = f"{__package__}.links"
    program = [sys.executable, COMMAND] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", module]
    done = subprocess.run([*program, json.dumps([what, *arguments])], capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise OSError(errno.EIO, f"cannot look at the host's network: {reason}") from None
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer["done"]
