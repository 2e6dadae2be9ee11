"""Who may use the API socket. Whoever may, is root on this machine: he can start a privileged container."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from pathlib import Path

from msgspec import Struct

from moby_tui.errors import Forbidden, InvalidArgument

#: The group whose members may use the socket, where it exists.
GROUP = "moby"
#: Owner and group may connect, nobody else.
SOCKET_MODE = 0o660
_UCRED = struct.Struct("iII")


class Peer(Struct, frozen=True):
    """The process at the other end, as it was when it connected (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def group_id(name: str) -> int:
    """The id of a group by name or number; root's where the default group does not exist. Raises ``InvalidArgument``."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        if name == GROUP:
            return 0
        raise InvalidArgument(f"group {name!r} does not exist; create it with groupadd") from None


def guard(path: Path, group: str = GROUP) -> None:
    """Gives a bound socket its owner and mode. Bind it under a umask of 0177, so that it is never open to others before."""
    os.chown(path, 0, group_id(group))
    path.chmod(SOCKET_MODE)


def peer(connection: socket.socket) -> Peer:
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


def check(caller: Peer, gid: int) -> None:
    """Lets root, the engine's own user and the members of the socket's group pass. Raises ``Forbidden``.

    The file's mode says the same; this holds also where the socket was passed on or its mode was changed.
    """
    if caller.uid in (0, os.geteuid()) or gid in _groups(caller):
        return
    raise Forbidden(f"user {caller.uid} may not use this engine: use sudo, or have root add the user to the socket's group")


def _groups(caller: Peer) -> set[int]:
    try:
        return {caller.gid, *os.getgrouplist(pwd.getpwuid(caller.uid).pw_name, caller.gid)}
    except KeyError:
        return {caller.gid}
