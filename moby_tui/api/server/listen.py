"""The sockets the API is served on: ``unix:///path``, ``tcp://127.0.0.1:2375``, ``fd://`` (sd_listen_fds(3))."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.errors import Conflict, InvalidArgument, NotImplementedYet, Unavailable

if TYPE_CHECKING:
    import ssl

    from moby_tui.api.client.tls import Tls

#: Connections that wait to be accepted: as many as the system allows, which cuts this to net.core.somaxconn (listen(2)).
BACKLOG = 65535
#: Whoever may open this socket is root in effect: its group and nobody else.
SOCKET_MODE = 0o660
#: Seconds in which a living engine would have taken the connection.
PROBE_TIMEOUT = 2.0
_FIRST_FD = 3
#: Longest path of a unix socket, without the terminating zero (unix(7)).
_MAX_PATH = 107


@dataclass
class Listener:
    """A listening socket. ``path`` is the file to remove at the end, ``warning`` what a person should read.

    ``tls`` is what is spoken on it, if anything.
    """

    socket: socket.socket
    address: str
    path: Path | None = None
    warning: str = ""
    tls: ssl.SSLContext | None = None

    def withdraw(self) -> None:
        """Removes the socket's file, while the socket still listens: once it does not, another server may make a file there."""
        if self.path:
            self.path.unlink(missing_ok=True)
            self.path = None

    def close(self) -> None:
        self.withdraw()
        self.socket.close()


def listen(host: str, *, group: int | None = None, tls: Tls | None = None) -> list[Listener]:
    """Opens what ``host`` names; a unix socket is given to ``group``, or else stays root's alone. On TCP sockets ``tls`` is spoken.

    Raises ``InvalidArgument``, ``Conflict`` if another process listens there, ``Unavailable``.
    """
    scheme, separator, rest = host.partition("://") if "://" in host else ("tcp", "://", host)
    if scheme == "unix" and separator:
        return [_unix(rest, group)]
    if scheme == "tcp" and separator:
        return [_tcp(rest, tls)]
    if scheme == "fd" and separator:
        return _inherited(tls)
    if scheme in ("npipe", "vsock") and separator:
        raise NotImplementedYet(f"listening on {scheme}://")
    raise InvalidArgument(f"invalid host {host!r}: use unix:///path, tcp://127.0.0.1:port or fd://")


def _unix(name: str, group: int | None) -> Listener:
    path = Path(name)
    if not path.is_absolute() or len(os.fsencode(name)) > _MAX_PATH:
        raise InvalidArgument(f"invalid socket path {name!r}: must be absolute and at most {_MAX_PATH} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind(name)
        # Nobody can connect before listen(), so there is no moment with the wrong owner or mode.
        _give_to_group(path, group)
        path.chmod(SOCKET_MODE)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise Unavailable(f"cannot listen on unix://{name}: {os.strerror(error.errno or 0)}") from None
    return Listener(sock, f"unix://{name}", path)


def _remove_stale(path: Path) -> None:
    """A socket file that nobody answers on is left over from a killed process. Anything else stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Conflict(f"{path} exists and is no socket: remove it or choose another path")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT)
        result = probe.connect_ex(str(path))
    if result == errno.ECONNREFUSED:
        path.unlink(missing_ok=True)
    elif result != errno.ENOENT:
        raise Conflict(f"another process answers on {path}: stop it or choose another socket with --host")


def _give_to_group(path: Path, group: int | None) -> None:
    """Without privileges the socket stays its maker's own."""
    if os.geteuid() == 0:
        os.chown(path, 0, group or 0)


def _tcp(name: str, tls: Tls | None) -> Listener:
    host, _, port = name.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        raise InvalidArgument(f"invalid address tcp://{name}: use tcp://127.0.0.1:port")
    address = ipaddress.ip_address("127.0.0.1") if host == "localhost" else _address(host)
    known = tls is not None and tls.verify
    if not (known or address.is_loopback):
        raise InvalidArgument(
            f"refusing to listen on tcp://{name} without --tlsverify: whoever reaches it is root here; "
            "use a unix socket, which ssh://user@host reaches too"
        )
    context = tls.server_context() if tls else None
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(address), int(port)))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        raise Unavailable(f"cannot listen on tcp://{name}: {error}") from None
    shown = f"tcp://[{address}]:{sock.getsockname()[1]}" if address.version == 6 else f"tcp://{address}:{sock.getsockname()[1]}"
    warning = "" if known else f"{shown} has no authentication: every user of this machine can become root through it"
    return Listener(sock, shown, warning=warning, tls=context)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise InvalidArgument(f"invalid address {host!r}: give an IP address") from None


def _inherited(tls: Tls | None) -> list[Listener]:
    """The sockets that the service manager opened for us."""
    count = int(os.environ.get("LISTEN_FDS", "0") or 0) if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0
    if count <= 0:
        raise InvalidArgument("no sockets were passed in (LISTEN_FDS): fd:// works only under socket activation")
    listeners = []
    for descriptor in range(_FIRST_FD, _FIRST_FD + count):
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
        context = tls.server_context() if tls and sock.family != socket.AF_UNIX else None
        listeners.append(Listener(sock, f"fd://{descriptor}", tls=context))
    return listeners
