"""What the form for a new network says: the request, and the command line that does the same."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping

from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate

#: The fields' texts, by id.
Written = Mapping[str, str]


def request(written: Written) -> NetworkCreate:
    """The network that is asked for. Raises ``ValueError`` for one without a name, and for a subnet or gateway that is none."""
    if not written["name"]:
        raise ValueError("a network needs a name")
    pool = _pool(written["subnet"], written["gateway"])
    return NetworkCreate(
        name=written["name"],
        driver=written["driver"] or "bridge",
        internal=written["internal"] == "yes",
        ipam=Ipam(config=[pool]) if pool else None,
    )


def _pool(subnet: str, gateway: str) -> IpamPool | None:
    if not subnet:
        if gateway:
            raise ValueError("a gateway needs its subnet")
        return None
    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        raise ValueError(f"{subnet} is no subnet: write 10.5.0.0/24") from None
    try:
        inside = not gateway or ipaddress.ip_address(gateway) in network
    except ValueError:
        raise ValueError(f"{gateway} is no address") from None
    if not inside:
        raise ValueError(f"{gateway} is not in {subnet}")
    return IpamPool(subnet=subnet, gateway=gateway)


def check(written: Written) -> str:
    """What is wrong with the form in one line, or nothing."""
    try:
        request(written)
    except ValueError as error:
        return str(error)
    return ""


def line(written: Written) -> str:
    """``moby network create --subnet 10.5.0.0/24 back``; empty while the form is not right."""
    try:
        asked = request(written)
    except ValueError:
        return ""
    words = ["moby", "network", "create"]
    if asked.driver != "bridge":
        words += ["--driver", asked.driver]
    for pool in asked.ipam.config or [] if asked.ipam else []:
        words += ["--subnet", pool.subnet, *(["--gateway", pool.gateway] if pool.gateway else [])]
    words += ["--internal"] if asked.internal else []
    return shlex.join([*words, asked.name])
