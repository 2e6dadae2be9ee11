"""The user namespace of a container: parses ``HostConfig.UsernsMode``, and reads the subordinate ids of /etc/subuid and /etc/subgid.

Modes, in the words of Docker and Podman: empty and ``host`` (the host's own); ``auto[:size=N]`` (a range of its own while it runs);
``keep-id`` (a user namespace in which every id is what it is on the host); ``nomap`` (the engine's user itself is not mapped: the
subordinate ids of root, the same for all); ``private:uidmapping=CONTAINER:HOST:SIZE[,gidmapping=…][,subuidname=NAME][,subgidname=NAME]``
(what ``--uidmap`` and its kin are passed on as); ``container:NAME`` (that of another container).
Source: subuid(5), user_namespaces(7), podman-run(1) ``--userns``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from moby_tui.engine.kernel.ids import ALL, IdMap
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.engine.store.id_ranges import Span

_SUBUID, _SUBGID = Path("/etc/subuid"), Path("/etc/subgid")
#: The user whose subordinate ids ``auto`` divides among containers.
_AUTO_USER = "containers"
#: The range if /etc/subuid has none: unused in systemd's list of ids, and below the numbers that older kernels take for negative.
_DEFAULT: Span = (0x70000000, 0x10000000 - 65536)
#: Enough for the ids in ordinary images, ``nobody`` among them.
_DEFAULT_SIZE = 65536
_MAX_ROWS = 340


class UserNamespace(Struct, frozen=True, kw_only=True):
    """``kind``: ``host``, ``auto``, ``keep-id``, ``nomap``, ``private`` or ``container``; the other fields are arguments of some kinds."""

    kind: str
    size: int = _DEFAULT_SIZE
    container: str = ""
    uids: IdMap = field(default_factory=list)
    gids: IdMap = field(default_factory=list)
    uid_name: str = ""
    gid_name: str = ""


def parse(mode: str) -> UserNamespace:
    """Reads ``UsernsMode``. Raises ``InvalidArgument``, also for two rows of a map that overlap."""
    kind, colon, rest = mode.partition(":")
    if kind in ("", "host", "keep-id", "nomap"):
        if colon:
            raise InvalidArgument(f"invalid userns mode: {mode}: {kind or 'it'} takes no options here")
        return UserNamespace(kind=kind or "host")
    if kind == "container" and rest:
        return UserNamespace(kind="container", container=rest)
    if kind == "auto":
        return UserNamespace(kind="auto", size=_auto_size(mode, rest) if colon else _DEFAULT_SIZE)
    if kind == "private" and colon:
        return _parse_private(mode, rest)
    raise InvalidArgument(f"invalid userns mode: {mode}: use host, auto, keep-id, nomap or container:NAME")


def _auto_size(mode: str, text: str) -> int:
    key, _, value = text.partition("=")
    if key != "size" or not value.isdecimal() or not 0 < int(value) <= _DEFAULT[1]:
        raise InvalidArgument(f"invalid userns mode: {mode}: auto takes size=NUMBER")
    return int(value)


def _parse_private(mode: str, text: str) -> UserNamespace:
    rows: dict[str, IdMap] = {"uidmapping": [], "gidmapping": []}
    names = {"subuidname": "", "subgidname": ""}
    for option in text.split(","):
        key, _, value = option.partition("=")
        if key in rows:
            rows[key].append(_row(value))
        elif key in names and value:
            names[key] = value
        else:
            raise InvalidArgument(f"invalid userns mode: {mode}: unknown option {key!r}")
    uids, gids = rows["uidmapping"] or rows["gidmapping"], rows["gidmapping"] or rows["uidmapping"]
    uid_name, gid_name = names["subuidname"] or names["subgidname"], names["subgidname"] or names["subuidname"]
    if uids and uid_name:
        raise InvalidArgument("conflicting options: --subuidname and --subgidname with --uidmap or --gidmap")
    if not uids and not uid_name:
        raise InvalidArgument(f"invalid userns mode: {mode}: give uidmapping or subuidname")
    for ids in (uids, gids):
        check_rows(ids)
    return UserNamespace(kind="private", uids=uids, gids=gids, uid_name=uid_name, gid_name=gid_name)


def _row(text: str) -> dict[str, int]:
    """``CONTAINER:HOST[:SIZE]``, as ``--uidmap`` has it."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) <= ALL for part in parts):
        raise InvalidArgument(f"invalid id map {text!r}: write it as CONTAINER:HOST:SIZE")
    return {"containerID": int(parts[0]), "hostID": int(parts[1]), "size": int(parts[2]) if len(parts) == 3 else 1}


def check_rows(ids: IdMap) -> None:
    """Raises ``InvalidArgument`` for maps that the kernel refuses with a bare EINVAL."""
    if len(ids) > _MAX_ROWS:
        raise InvalidArgument(f"an id map has at most {_MAX_ROWS} rows")
    for key in ("containerID", "hostID"):
        end = 0
        for row in sorted(ids, key=lambda row: row[key]):
            if row["size"] < 1 or row[key] < end or row[key] + row["size"] > ALL:
                raise InvalidArgument("invalid id map: rows must not be empty, overlap, or go beyond the highest id")
            end = row[key] + row["size"]


def auto_pool() -> list[Span]:
    """The ids that ``auto`` divides: those of user ``containers`` that it has as user and as group, or the default range."""
    uids, gids = _subordinate(_SUBUID, _AUTO_USER), _subordinate(_SUBGID, _AUTO_USER)
    if not uids and not gids:
        return [_DEFAULT]
    common = [
        (max(first, other), min(first + count, other + more) - max(first, other)) for first, count in uids for other, more in gids
    ]
    return sorted(span for span in common if span[1] > 0)


def shared_maps(uid_name: str, gid_name: str) -> tuple[IdMap, IdMap]:
    """Maps all subordinate ids of these users, end to end, from the container's 0 on. Raises ``InvalidArgument`` for a user without any."""
    return _laid_out(_SUBUID, uid_name), _laid_out(_SUBGID, gid_name)


def root_maps() -> tuple[IdMap, IdMap]:
    """For ``nomap``: maps the subordinate ids of root, or ``default_row`` if root has none."""
    default = [default_row()]
    if not _subordinate(_SUBUID, "root") or not _subordinate(_SUBGID, "root"):
        return default, default
    return shared_maps("root", "root")


def default_row() -> dict[str, int]:
    """The range right above the one that ``auto`` divides by default."""
    return {"containerID": 0, "hostID": sum(_DEFAULT), "size": _DEFAULT_SIZE}


def has_ids(name: str) -> bool:
    return bool(_subordinate(_SUBUID, name) and _subordinate(_SUBGID, name))


def identity_maps() -> tuple[IdMap, IdMap]:
    """For ``keep-id``: maps every id to itself."""
    every = [{"containerID": 0, "hostID": 0, "size": ALL}]
    return every, every


def _laid_out(file: Path, name: str) -> IdMap:
    spans = _subordinate(file, name)
    if not spans:
        raise InvalidArgument(f"user {name} has no ids in {file}: add a line {name}:FIRST:COUNT")
    ids, start = [], 0
    for first, count in spans[:_MAX_ROWS]:
        ids.append({"containerID": start, "hostID": first, "size": count})
        start += count
    return ids


def _subordinate(file: Path, name: str) -> list[Span]:
    """subuid(5): ``NAME:FIRST:COUNT``; malformed lines are ignored, as login tools do."""
    try:
        rows = [line.strip().split(":") for line in file.read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return []
    return [
        (int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and row[0] == name and row[1].isdecimal() and row[2].isdecimal() and 0 < int(row[2]) <= ALL - int(row[1])
    ]
