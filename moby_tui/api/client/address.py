"""Where an engine listens, as a person writes it after ``--host``."""

from __future__ import annotations

from typing import NamedTuple

from moby_tui.errors import InvalidArgument, NotImplementedYet

_LATER = ("ssh", "npipe", "https", "fd")


class Address(NamedTuple):
    """A unix socket's path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://{self.host}:{self.port}"


def parse_host(host: str) -> Address:
    """Reads ``unix://`` and ``tcp://`` hosts; raises ``InvalidArgument``, ``NotImplementedYet`` for Docker's others."""
    scheme, found, rest = host.partition("://")
    if found and scheme == "unix":
        return _unix(host, rest)
    if found and scheme in ("tcp", "http"):
        return _tcp(host, rest)
    if found and scheme in _LATER:
        raise NotImplementedYet(f"connecting to {scheme}:// hosts")
    raise InvalidArgument(f"invalid host {host!r}: use unix:///path or tcp://host:port")


def _unix(host: str, path: str) -> Address:
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid host {host!r}: the socket's path must be absolute, as in unix:///run/moby.sock")
    return Address(path=path)


def _tcp(host: str, rest: str) -> Address:
    name, colon, port = rest.rstrip("/").rpartition(":")
    if not (colon and name and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InvalidArgument(f"invalid host {host!r}: must name a host and a port, as in tcp://127.0.0.1:2375")
    return Address(host=name.strip("[]"), port=int(port))
