"""``--network``, short (``bridge``) and long (``name=backend,alias=db,ip=10.0.0.2``)."""

from __future__ import annotations

from collections.abc import Sequence

from moby_tui.cli.values import comma
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings


def _set(endpoint: EndpointSettings, key: str, value: str) -> None:
    if key in ("ip", "ip6", "link-local-ip"):
        ipam = endpoint.ipam_config = endpoint.ipam_config or EndpointIpamConfig()
        if key == "ip":
            ipam.ipv4_address = value
        elif key == "ip6":
            ipam.ipv6_address = value
        else:
            ipam.link_local_ips = [*(ipam.link_local_ips or []), value]
    elif key == "alias":
        endpoint.aliases = [*(endpoint.aliases or []), value]
    elif key == "mac-address":
        endpoint.mac_address = value
    elif key == "driver-opt":
        name, _, text = value.partition("=")
        endpoint.driver_opts = {**(endpoint.driver_opts or {}), name: text}
    elif key == "gw-priority":
        if not value.removeprefix("-").isdecimal():
            raise InvalidArgument(f"invalid gw-priority: {value!r}; a whole number is needed")
        endpoint.gw_priority = int(value)
    else:
        raise InvalidArgument(f"unknown key {key!r} in --network")


def parse_network(spec: str) -> tuple[str, EndpointSettings | None]:
    """The network's name or mode, and what is asked of it. Raises ``InvalidArgument``."""
    if "=" not in spec:
        return spec, None
    endpoint, name = EndpointSettings(), ""
    for key, _, value in comma.fields("--network", spec):
        if key == "name":
            name = value
        else:
            _set(endpoint, key, value)
    if not name:
        raise InvalidArgument(f"invalid --network {spec!r}: name= is missing")
    return name, endpoint


def networks(specs: Sequence[str], **shared: Sequence[str]) -> tuple[str, dict[str, EndpointSettings | None]]:
    """All ``--network``: the network mode, and the endpoints. ``shared`` (``alias=…``, ``ip=…``) belong to the first one.

    Raises ``InvalidArgument`` where a network comes twice.
    """
    endpoints: dict[str, EndpointSettings | None] = {}
    for spec in specs:
        name, endpoint = parse_network(spec)
        if name in endpoints:
            raise InvalidArgument(f"network {name!r} is given twice")
        endpoints[name] = endpoint
    mode = next(iter(endpoints), "")
    for key, values in shared.items():
        for value in values:
            mode = mode or "default"
            first = endpoints[mode] = endpoints.get(mode) or EndpointSettings()
            _set(first, key.replace("_", "-"), value)
    return mode, {name: endpoint for name, endpoint in endpoints.items() if endpoint is not None or len(endpoints) > 1}
