"""Translates ids between user namespaces (user_namespaces(7)), and makes files as another user (setfsuid(2)).

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
#: The number of ids: one more than the highest.
ALL = 2**32 - 1
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def to_host(ids: IdMap, ident: int) -> int:
    """The host's id for a container's id; the same id if there is no map. Raises ``ValueError`` for an id that is not mapped."""
    number = _find(ids, ident, "containerID", "hostID")
    if number is None:
        raise ValueError(f"id {ident} is not mapped in the container's user namespace")
    return number


def to_container(ids: IdMap, ident: int) -> int:
    """The container's id for a host's id; ``NOBODY`` for one that is not mapped, as the kernel shows it to the container."""
    number = _find(ids, ident, "hostID", "containerID")
    return NOBODY if number is None else number


def _find(ids: IdMap, ident: int, source: str, target: str) -> int | None:
    if not ids:
        return ident
    for row in ids:
        if row[source] <= ident < row[source] + row["size"]:
            return row[target] + ident - row[source]
    return None


def is_identity(ids: IdMap) -> bool:
    """True if every mapped id is the same on both sides."""
    return all(row["containerID"] == row["hostID"] for row in ids)


def first(ids: IdMap) -> int:
    """The container's id 0 if it is mapped, else the lowest id of the container that is."""
    return min((row["containerID"] for row in ids), default=0)


def lines(ids: IdMap) -> str:
    """The map as text for /proc/PID/uid_map."""
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
        """The host's ids for a container's owner. Raises ``ValueError`` for an id that is not mapped."""
        return to_host(self._uids, uid), to_host(self._gids, gid)

    @contextmanager
    def making_files(self) -> Iterator[None]:
        """Within the block, files that this thread makes belong to the container's root."""
        if not self._uids:
            yield
            return
        with making_files_as(*self.outside(first(self._uids), first(self._gids))):
            yield


@contextmanager
def making_files_as(uid: int, gid: int) -> Iterator[None]:
    """Within the block, files that this thread makes belong to these ids of the host. The thread keeps its capabilities.

    In an id-mapped file system nobody whose id is not mapped can make anything (EOVERFLOW), root or not.
    """
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    calls.setfsgid(gid)
    # the kernel drops the capabilities over files when the file system id changes from root
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
