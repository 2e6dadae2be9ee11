"""The option ``idmap`` of a mount: which ids of its file system a container sees as which (podman-run(1) ``--mount``, crun(1)).

``idmap`` alone takes the map of the container's user namespace. ``idmap=uids=FROM-TO-SIZE#…;gids=…`` has a map of its own: ``FROM`` is an
id of the file system, ``TO`` the host's id that it appears as, or with ``@`` before the row an id in the container.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

from moby_tui.engine.kernel.ids import ALL, IdMap, to_host
from moby_tui.engine.policy.user_namespaces import check_rows
from moby_tui.errors import InvalidArgument

OPTION = "idmap"
_ROW = re.compile(r"(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})", re.ASCII)
_KEYS = ("uids", "gids")
_FORM = "idmap=uids=FROM-TO-SIZE;gids=FROM-TO-SIZE"


class MountIds(Struct, frozen=True):
    """The rows of a map of the mount's own, as they are written; none in both for the map of the container's user namespace."""

    uids: list[str] = field(default_factory=list)
    gids: list[str] = field(default_factory=list)

    def maps(self, uids: IdMap, gids: IdMap) -> tuple[IdMap, IdMap]:
        """The maps for a container whose user namespace has the maps ``uids`` and ``gids``, empty ones without a user namespace.

        Of ids for which no rows are written the map is the container's. Raises ``InvalidArgument`` for an id with ``@`` that is not in
        the container, and for rows that no map can have.
        """
        return _map("uids", self.uids, uids), _map("gids", self.gids, gids)

    @property
    def is_own(self) -> bool:
        return bool(self.uids or self.gids)


def is_option(word: str) -> bool:
    """True for ``idmap`` and ``idmap=MAP`` among the options of a mount."""
    return word == OPTION or word.startswith(f"{OPTION}=")


def of_mode(mode: str) -> MountIds | None:
    """Reads the option in the words of a mount's mode; None if it is not there. Raises ``InvalidArgument``."""
    return next((parse(word) for word in mode.split(",") if is_option(word)), None)


def parse(word: str) -> MountIds:
    """Reads the option. Raises ``InvalidArgument``, also for rows that overlap."""
    _, equals, text = word.partition("=")
    if not equals:
        return MountIds()
    rows: dict[str, list[str]] = {}
    for part in text.split(";"):
        key, _, value = part.partition("=")
        if key not in _KEYS or key in rows or not value:
            raise InvalidArgument(f"invalid mount option {word!r}: write it as {_FORM}")
        rows[key] = value.split("#")
    ids = MountIds(rows.get("uids", []), rows.get("gids", []))
    ids.maps([], [])
    return ids


def without_map(destination: str) -> InvalidArgument:
    """The refusal of ``idmap`` alone for a container without a user namespace."""
    return InvalidArgument(f"idmap of the mount {destination} needs --userns, or a map: {_FORM}")


def _map(key: str, rows: list[str], container: IdMap) -> IdMap:
    if not rows:
        return container or [{"containerID": 0, "hostID": 0, "size": ALL}]
    ids = [_row(key, text, container) for text in rows]
    check_rows(ids)
    return ids


def _row(key: str, text: str, container: IdMap) -> dict[str, int]:
    """``containerID`` of a row is the id of the file system here: the kernel looks it up as an id in the mount's user namespace."""
    written = _ROW.fullmatch(text)
    if written is None:
        raise InvalidArgument(f"invalid row {text!r} in idmap={key}: write it as FROM-TO-SIZE, or @FROM-TO-SIZE")
    start, target, size = (int(number) for number in written.groups()[1:])
    if written[1] and container:
        target = _first_on_host(key, text, container, target, size)
    return {"containerID": start, "hostID": target, "size": size}


def _first_on_host(key: str, text: str, container: IdMap, target: int, size: int) -> int:
    """The host's id of the container's id ``target``. Raises ``InvalidArgument`` if not all of the row has ids that follow each other."""
    try:
        first = to_host(container, target)
        whole = to_host(container, target + size - 1) == first + size - 1
    except ValueError:
        whole = False
    if not whole:
        raise InvalidArgument(
            f"row {text} of idmap={key} is not in one range of the container's user namespace: split it, or map more ids"
        )
    return first
