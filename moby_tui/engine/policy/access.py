"""Which users may use the API socket. A user who may is as good as root on this machine: he can start a privileged container."""

from __future__ import annotations

import grp
import os
import pwd

from moby_tui.errors import Forbidden, InvalidArgument

#: The group whose members may use the socket, where it exists.
GROUP = "moby"


def group_id(name: str) -> int:
    """The id of a group by name or number; root's where the default group does not exist. Raises ``InvalidArgument``."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        if name == GROUP:
            return 0
        raise InvalidArgument(f"group {name!r} does not exist; create it with groupadd") from None


def check(uid: int, gid: int, socket_group: int) -> None:
    """Lets root, the engine's own user and the members of the socket's group pass. Raises ``Forbidden``.

    ``uid`` and ``gid`` are the caller's, from the kernel (SO_PEERCRED). The mode of the socket's file allows the same users. This check also
    holds if the socket was passed to another process or its mode was changed.
    """
    if uid in (0, os.geteuid()) or socket_group in _groups(uid, gid):
        return
    raise Forbidden(f"user {uid} may not use this engine: use sudo, or have root add the user to the socket's group")


def _groups(uid: int, gid: int) -> set[int]:
    try:
        return {gid, *os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)}
    except KeyError:
        return {gid}
