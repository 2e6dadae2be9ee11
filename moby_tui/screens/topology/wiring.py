"""What the forms for a container's networks and ports say: the change that they mean, and the command line that does the same."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping

from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings, PortChanges
from moby_tui.screens.forms.request import ReadRun

#: Networks that a container is in alone, from its creation on.
LONELY = frozenset({"host", "none"})
_WITHDRAWN = re.compile(r"[0-9]{1,5}(/(tcp|udp|sctp))?")

#: The fields' texts, by id.
Written = Mapping[str, str]


def endpoint(written: Written) -> EndpointSettings:
    """The place in a network that is asked for. Raises ``ValueError`` for what is no address."""
    addresses = EndpointIpamConfig(
        ipv4_address=_address(written.get("ipv4", ""), 4),
        ipv6_address=_address(written.get("ipv6", ""), 6),
    )
    address = addresses.ipv4_address or addresses.ipv6_address
    return EndpointSettings(aliases=written.get("aliases", "").split() or None, ipam_config=addresses if address else None)


def _address(said: str, version: int) -> str:
    if not said:
        return ""
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise ValueError(f"{said} is no IPv{version} address")
    return str(address)


def check_connection(written: Written) -> str:
    """What is wrong with the form in one line, or nothing."""
    for field in ("network", "container"):
        if not written[field]:
            return f"name a {field}"
    try:
        endpoint(written)
    except ValueError as error:
        return str(error)
    return ""


def connect_line(written: Written) -> str:
    """``moby network connect --alias db back web``."""
    words = ["moby", "network", "connect"]
    for alias in written.get("aliases", "").split():
        words += ["--alias", alias]
    for option, field in (("--ip", "ipv4"), ("--ip6", "ipv6")):
        if value := written.get(field):
            words += [option, value]
    return shlex.join([*words, written["network"] or "NETWORK", written["container"] or "CONTAINER"])


def disconnect_line(network: str, container: str, *, force: bool) -> str:
    """``moby network disconnect back web``."""
    return shlex.join(["moby", "network", "disconnect", *(["--force"] if force else []), network or "NETWORK", container])


def published(ports: str) -> tuple[str, ...]:
    """The host's ports of ``8080→80 53→53/udp`` as they are withdrawn: ``8080``, ``53/udp``."""
    published_ports: dict[str, None] = {}
    for one in ports.split():
        host, _, inside = one.partition("→")
        protocol = inside.partition("/")[2]
        published_ports[f"{host}/{protocol}" if protocol else host] = None
    return tuple(published_ports)


def port_changes(written: Written, reader: ReadRun) -> PortChanges:
    """The ports to publish, read as ``moby run`` reads them, and those to withdraw. Raises ``MobyError``, ``ValueError``."""
    specs, withdraw = written["publish"].split(), written["withdraw"].split()
    if not specs and not withdraw:
        raise ValueError("name a port to publish or one to withdraw")
    for port in withdraw:
        if not _WITHDRAWN.fullmatch(port):
            raise ValueError(f"{port} is no port of the host: write 8080 or 53/udp")
    bindings = {}
    if specs:
        words = ["-d", *(f"--publish={spec}" for spec in specs), "image"]
        bindings = reader(words).config.host_config.port_bindings or {}
    return PortChanges(publish=bindings, withdraw=withdraw)


def ports_line(written: Written, container: str) -> str:
    """``moby update --publish-add 8443:443 --publish-rm 8080 web``."""
    words = ["moby", "update"]
    if not written["publish"].strip() and not written["withdraw"].strip():
        words.append("--publish-add=PORTS")
    for spec in written["publish"].split():
        words += ["--publish-add", spec]
    for port in written["withdraw"].split():
        words += ["--publish-rm", port]
    return shlex.join([*words, container])
