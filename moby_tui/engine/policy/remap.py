"""``--userns-remap``: a container gets a user namespace unless it asks for the host's (Docker: "Isolate containers with user namespaces").

The error texts are the Docker Engine's.
"""

from __future__ import annotations

from moby_tui.engine.policy import user_namespaces
from moby_tui.engine.store.records.containers import HostConfig
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument

#: The user whose subordinate ids ``default`` means.
_DEFAULT_USER = "dockremap"


class Remap:
    """What containers get that say nothing of user namespaces; ``mode`` is empty if that is the host's."""

    def __init__(self, options: EngineOptions) -> None:
        """Raises ``InvalidArgument``."""
        self.mode = mode(options.userns_remap)


def mode(text: str) -> str:
    """The ``UsernsMode`` of containers that set none: ``text`` is ``default`` or ``USER[:GROUP]``, by name or number, whose
    ids of /etc/subuid and /etc/subgid are meant; empty for the host's namespace. Raises ``InvalidArgument``."""
    if not text:
        return ""
    if text == "default":
        return _private(*_default_names())
    user, colon, group = text.partition(":")
    if not user or (colon and not group):
        raise InvalidArgument(f"invalid --userns-remap {text!r}: write it as default, USER or USER:GROUP")
    uid_name = _user(user)
    gid_name = _group(group) if group else uid_name
    user_namespaces.shared_maps(uid_name, gid_name)
    return _private(uid_name, gid_name)


def choose(remapped: str, host: HostConfig, joined: dict[str, str]) -> str:
    """The ``UsernsMode`` of a new container; ``joined``: the containers whose namespaces it shares. Raises ``InvalidArgument``."""
    if host.privileged:
        raise InvalidArgument(
            "privileged mode is incompatible with user namespaces.  "
            "You must run the container in the host namespace when running privileged mode"
        )
    for kind, name in ((host.network_mode, "host's network"), (host.pid_mode, "host PID")):
        if kind == "host":
            raise InvalidArgument(f"cannot share the {name} namespace when user namespaces are enabled")
    others = set(joined.values())
    if len(others) > 1:
        raise InvalidArgument("cannot share the namespaces of several containers when user namespaces are enabled")
    # a namespace that belongs to another user namespace can be joined from inside that one only
    return f"container:{others.pop()}" if others else remapped


def _default_names() -> tuple[str, str]:
    if user_namespaces.has_ids(_DEFAULT_USER):
        return _DEFAULT_USER, _DEFAULT_USER
    return "", ""


def _private(uid_name: str, gid_name: str) -> str:
    """The mode that ``--subuidname`` gives too. Without names, the default range, which no user has in /etc/subuid."""
    if uid_name:
        return f"private:subuidname={uid_name},subgidname={gid_name}"
    row = user_namespaces.default_row()
    return f"private:uidmapping=0:{row['hostID']}:{row['size']}"


def _user(text: str) -> str:
    import pwd

    try:
        return pwd.getpwuid(int(text)).pw_name if text.isdecimal() else pwd.getpwnam(text).pw_name
    except (KeyError, OverflowError):
        raise InvalidArgument(f"--userns-remap: there is no user {text}") from None


def _group(text: str) -> str:
    import grp

    try:
        return grp.getgrgid(int(text)).gr_name if text.isdecimal() else grp.getgrnam(text).gr_name
    except (KeyError, OverflowError):
        raise InvalidArgument(f"--userns-remap: there is no group {text}") from None
