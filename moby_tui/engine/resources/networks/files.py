"""What stands in a container's /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5))."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from moby_tui.errors import InvalidArgument

_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
_RESOLV_CONF = Path("/etc/resolv.conf")
#: Where systemd-resolved tells the servers behind its stub on 127.0.0.53 (systemd-resolved.service(8)).
_RESOLVED = Path("/run/systemd/resolve/resolv.conf")
#: Docker's choice where the host has no server that a container could reach.
_PUBLIC_SERVERS = ["8.8.8.8", "8.8.4.4"]


def hosts(extra: str, names: str = "", address: str = "") -> str:
    """/etc/hosts for a namespace of its own, with the container's names where it has an address."""
    return _HOSTS + extra + (f"{address}\t{names}\n" if address and names else "")


def host_names(hostname: str, domainname: str) -> str:
    """The names of a container in its /etc/hosts: the full one, and where that has a dot what stands before the first."""
    full = f"{hostname}.{domainname}" if domainname else hostname
    first, dot, _ = full.partition(".")
    return f"{full} {first}".rstrip() if dot else full


def host_hosts() -> str:
    """The host's /etc/hosts, for a container in the host's namespace."""
    text = _read(Path("/etc/hosts"))
    return text if text.endswith("\n") or not text else f"{text}\n"


def resolv_conf(servers: Sequence[str], search: Sequence[str], options: Sequence[str], *, own_namespace: bool) -> str:
    """/etc/resolv.conf: the host's, each kind of line replaced by what was asked of it.

    In a namespace of its own a container reaches neither the host's loopback nor an IPv6 server; those are left out.
    Raises ``InvalidArgument`` where a server is no address.
    """
    for server in servers:
        _parse_address(server)
    lines = _read(_RESOLV_CONF).splitlines()
    if own_namespace and not servers and not _servers(lines, own_namespace) and _RESOLVED.exists():
        lines = _read(_RESOLVED).splitlines()
    if not (own_namespace or servers or search or options):
        return "".join(f"{line}\n" for line in lines)
    chosen = list(servers) or _servers(lines, own_namespace) or _PUBLIC_SERVERS
    domains = [domain for domain in search or _words(lines, "search", "domain") if domain != "."]
    settings = list(options or _words(lines, "options"))
    return "".join(
        [f"nameserver {server}\n" for server in chosen]
        + ([f"search {' '.join(domains)}\n"] if domains else [])
        + ([f"options {' '.join(settings)}\n"] if settings else [])
    )


def extra_hosts(extra: Sequence[str], gateway: IPv4Address | None) -> str:
    """Lines for ``NAME:ADDRESS``; ``gateway`` is what ``host-gateway`` stands for. Raises ``InvalidArgument``."""
    lines = []
    for entry in extra:
        name, separator, address = entry.partition(":")
        if not separator or not name or any(character.isspace() for character in entry):
            raise InvalidArgument(f"invalid extra host {entry!r}; write it as NAME:ADDRESS")
        if address == "host-gateway":
            if gateway is None:
                raise InvalidArgument("host-gateway has no meaning without a network; give an address")
            address = str(gateway)
        lines.append(f"{_parse_address(address.strip('[]'))}\t{name}\n")
    return "".join(lines)


def _parse_address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is not an IP address") from error


def _servers(lines: Sequence[str], own_namespace: bool) -> list[str]:
    return [server for server in _words(lines, "nameserver") if not own_namespace or _reachable(server)]


def _reachable(server: str) -> bool:
    try:
        address = ip_address(server)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback


def _words(lines: Sequence[str], *keywords: str) -> list[str]:
    """The values of a keyword; of ``search`` and ``domain``, as of resolv.conf(5), only the last line counts."""
    rows = [line.split()[1:] for line in lines if line.split()[:1] and line.split()[0] in keywords]
    if "search" in keywords:
        rows = rows[-1:]
    return [word for row in rows for word in row]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
