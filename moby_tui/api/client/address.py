"""Where an engine listens, as a person writes it after ``--host``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from moby_tui.errors import InvalidArgument, NotImplementedYet

if TYPE_CHECKING:
    from moby_tui.api.client.tls import Tls

_LATER = ("npipe", "fd")
_FORMS = "unix:///path, tcp://host:port or ssh://user@host"
#: What Docker's clients take where a tcp host names no port: without TLS, and with it.
_PORTS = (2375, 2376)
#: Hosts that say nothing but the scheme, as Docker's clients read them.
_USUAL = {"unix://": "unix:///var/run/docker.sock", "tcp://": "tcp://localhost"}


class Address(NamedTuple):
    """A unix socket's path; or a host and a port, with TLS if ``tls`` is given; or, if ``ssh``, the machine that ssh(1) reaches.

    With ssh, ``user`` and ``port`` may be missing (empty, 0): ssh's own configuration says them. ``path`` is then a socket over there;
    empty: the engine's own.
    """

    path: str = ""
    host: str = ""
    port: int = 0
    tls: Tls | None = None
    ssh: bool = False
    user: str = ""

    def __str__(self) -> str:
        if self.ssh:
            user, port = f"{self.user}@" if self.user else "", f":{self.port}" if self.port else ""
            return f"ssh://{user}{_bracketed(self.host)}{port}{self.path}"
        return f"unix://{self.path}" if self.path else f"tcp://{_bracketed(self.host)}:{self.port}"

    @property
    def is_private(self) -> bool:
        """True if no third party can read what is sent, or answer in the place of the engine."""
        return bool(self.path) or self.ssh or self.host in ("127.0.0.1", "::1", "localhost") or bool(self.tls and self.tls.verify)


def parse_host(host: str, tls: Tls | None = None) -> Address:
    """Reads ``unix://``, ``tcp://`` and ``ssh://`` hosts; ``tls`` counts for tcp alone.

    Raises ``InvalidArgument``, ``NotImplementedYet`` for Docker's other ones."""
    host = _USUAL.get(host, host)
    scheme, separator, rest = host.partition("://")
    if separator and scheme == "unix":
        return _unix(host, rest)
    if separator and scheme in ("tcp", "http", "https"):
        return _tcp(host, rest, tls, encrypted=scheme == "https")
    if separator and scheme == "ssh":
        return _ssh(host)
    if separator and scheme in _LATER:
        raise NotImplementedYet(f"connecting to {scheme}:// hosts")
    raise InvalidArgument(f"invalid host {host!r}: use {_FORMS}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _unix(host: str, path: str) -> Address:
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid host {host!r}: the socket's path must be absolute, as in unix:///run/moby.sock")
    return Address(path=path)


def _tcp(host: str, rest: str, tls: Tls | None, *, encrypted: bool) -> Address:
    if encrypted and tls is None:
        raise InvalidArgument(
            f"invalid host {host!r}: give --tlsverify, or --tls to talk to an engine without checking who it is"
        )
    named, bracket, after = rest.rstrip("/").rpartition("]")
    name, colon, port = after.rpartition(":") if not bracket else (named + bracket, after[:1], after[1:])
    if not colon:
        name, port = rest.rstrip("/"), str(_PORTS[tls is not None])
    if not (name.strip("[]") and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InvalidArgument(f"invalid host {host!r}: must name a host and a port, as in tcp://127.0.0.1:2375")
    return Address(host=name.strip("[]"), port=int(port), tls=tls)


def _ssh(host: str) -> Address:
    parts = _split(host)
    if parts.password is not None:
        raise InvalidArgument("invalid ssh host: a password cannot be in it; use a key or an agent")
    # ssh(1) would take a name that begins with a dash for an option (CVE-2017-1000117 and its kin)
    words = (parts.hostname or "", parts.username or "")
    if not words[0] or any(word.startswith("-") or not word.isprintable() or " " in word for word in words):
        raise InvalidArgument(f"invalid host {host!r}: must name a machine, as in ssh://user@host")
    if parts.query or parts.fragment:
        raise InvalidArgument(f"invalid host {host!r}: nothing can follow the socket's path")
    return Address(
        ssh=True, host=words[0], user=words[1], port=parts.port or 0, path=parts.path if parts.path not in ("", "/") else ""
    )


def _split(host: str) -> SplitResult:
    try:
        parts = urlsplit(host)
        _ = parts.port
    except ValueError:
        raise InvalidArgument(f"invalid host {host!r}: must name a machine, as in ssh://user@host") from None
    return parts
