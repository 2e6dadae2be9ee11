"""Ids of one user namespace seen from another (user_namespaces(7)), and making files as somebody else (setfsuid(2)).

A map is a list of ``{"containerID", "hostID", "size"}``, as ``linux.uidMappings`` of the OCI runtime specification has it.
Light imports: the monitor gives terminals and pipes to the container's ids.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.engine.kernel import calls

IdMap = list[dict[str, int]]
#: What the kernel shows for an id that is not in the map (/proc/sys/kernel/overflowuid).
NOBODY = 65534
#: One more than the highest id there is.
ALL = 2**32 - 1
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def to_host(ids: IdMap, ident: int) -> int:
    """The host's id of a container's; itself where there is no map. Raises ``ValueError`` where it is not mapped."""
    found = _find(ids, ident, "containerID", "hostID")
    if found is None:
        raise ValueError(f"id {ident} is not mapped in the container's user namespace")
    return found


def to_container(ids: IdMap, ident: int) -> int:
    """The container's id of a host's; ``NOBODY`` where it is not mapped, as the container itself sees it."""
    found = _find(ids, ident, "hostID", "containerID")
    return NOBODY if found is None else found


def _find(ids: IdMap, ident: int, source: str, target: str) -> int | None:
    if not ids:
        return ident
    for row in ids:
        if row[source] <= ident < row[source] + row["size"]:
            return row[target] + ident - row[source]
    return None


def is_identity(ids: IdMap) -> bool:
    """Whether every id that is mapped stays what it is."""
    return all(row["containerID"] == row["hostID"] for row in ids)


def first(ids: IdMap) -> int:
    """The container's root where it is mapped, else the lowest id that is."""
    return min((row["containerID"] for row in ids), default=0)


def lines(ids: IdMap) -> str:
    """As /proc/PID/uid_map takes it."""
    return "".join(f"{row['containerID']} {row['hostID']} {row['size']}\n" for row in ids)


def count(ids: IdMap) -> int:
    return sum(row["size"] for row in ids)


class Owners:
    """How the owners of files appear to a container: by the maps of its user namespace, or as they are."""

    def __init__(self, uids: IdMap | None = None, gids: IdMap | None = None) -> None:
        self._uids, self._gids = uids or [], gids or []

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        return to_container(self._uids, uid), to_container(self._gids, gid)

    def outside(self, uid: int, gid: int) -> tuple[int, int]:
        """Raises ``ValueError`` where one is not mapped."""
        return to_host(self._uids, uid), to_host(self._gids, gid)

    @contextmanager
    def making_files(self) -> Iterator[None]:
        """What this thread makes meanwhile is the container's root's."""
        if not self._uids:
            yield
            return
        with making_files_as(*self.outside(first(self._uids), first(self._gids))):
            yield


@contextmanager
def making_files_as(uid: int, gid: int) -> Iterator[None]:
    """What this thread makes meanwhile belongs to these ids of the host's; its capabilities stay as they were.

    In an id-mapped file system nobody whose id is not mapped can make anything (EOVERFLOW), root or not.
    """
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    calls.setfsgid(gid)
    # the kernel takes the capabilities over files from whoever ceases to be root
    calls.setfsuid(uid)
    try:
        _check(calls.capget(ctypes.byref(header), ctypes.byref(data)))
        for part in data:
            part.effective = part.permitted
        _check(calls.capset(ctypes.byref(header), ctypes.byref(data)))
        yield
    finally:
        calls.setfsuid(0)
        calls.setfsgid(0)


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"set capabilities: {os.strerror(error)}")
