"""The form for a new network."""

from __future__ import annotations

import ipaddress

from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from moby_tui.screens.forms.form import Form, Written


def _request(written: Written) -> NetworkCreate:
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


def _words(request: NetworkCreate) -> list[str]:
    """``moby network create --subnet 10.5.0.0/24 back``."""
    words = ["moby", "network", "create"]
    if request.driver != "bridge":
        words += ["--driver", request.driver]
    for pool in request.ipam.config or [] if request.ipam else []:
        words += ["--subnet", pool.subnet, *(["--gateway", pool.gateway] if pool.gateway else [])]
    words += ["--internal"] if request.internal else []
    return [*words, request.name]


FORM = Form(_request, _words)
