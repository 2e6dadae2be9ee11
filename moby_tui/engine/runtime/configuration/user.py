"""Who a container's process is: ``user[:group]`` looked up in the container's own files, without running anything of it."""

from __future__ import annotations

import os
import stat

import msgspec

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.errors import InvalidArgument

#: A passwd file larger than this is no passwd file.
_MAX_BYTES = 8 * 1024 * 1024
_MAX_ID = 2**32 - 2


class User(msgspec.Struct, frozen=True):
    uid: int
    gid: int
    groups: list[int]
    home: str


def resolve(root: int, text: str, additional: list[str]) -> User:
    """The user that ``text`` names (name or number, group likewise; empty: root), with its supplementary groups.

    ``root`` is a descriptor of the container's root. Raises ``InvalidArgument`` on a name that its files do not have.
    """
    name, _, group = text.partition(":")
    passwd = [line.split(":") for line in _read_lines(root, "etc/passwd")]
    groups = [line.split(":") for line in _read_lines(root, "etc/group")]
    uid, gid, login, home = _find_user(passwd, name or "0")
    if group:
        gid = _find_group(groups, group)
    member_of = [] if group or not login else [int(row[2]) for row in groups if _is_member(row, login)]
    extra = [_find_group(groups, entry) for entry in additional]
    # the primary group is among the supplementary ones too, as after login (CVE-2022-36109)
    return User(uid, gid, list(dict.fromkeys([gid, *member_of, *extra])), home)


def _find_user(passwd: list[list[str]], wanted: str) -> tuple[int, int, str, str]:
    for row in passwd:
        if len(row) >= 6 and row[2].isdecimal() and row[3].isdecimal() and wanted in (row[0], row[2]):
            return int(row[2]), int(row[3]), row[0], row[5] or "/"
    if not wanted.isdecimal():
        raise InvalidArgument(f"unable to find user {wanted}: no matching entries in passwd file")
    return _number(wanted, "user"), 0, "", "/"


def _find_group(groups: list[list[str]], wanted: str) -> int:
    for row in groups:
        if len(row) >= 3 and row[2].isdecimal() and wanted == row[0]:
            return int(row[2])
    if not wanted.isdecimal():
        raise InvalidArgument(f"unable to find group {wanted}: no matching entries in group file")
    return _number(wanted, "group")


def _is_member(row: list[str], login: str) -> bool:
    return len(row) >= 4 and row[2].isdecimal() and login in row[3].split(",")


def _number(text: str, what: str) -> int:
    number = int(text)
    if number > _MAX_ID:
        raise InvalidArgument(f"{what} id {text} is out of range")
    return number


def _read_lines(root: int, path: str) -> list[str]:
    """The lines of a small regular file; none if there is no such file.

    A FIFO or a device in its place is not opened: the one would never answer (CVE-2024-9676), the other may act on being opened.
    """
    try:
        found = open_in_root(root, path, os.O_PATH)
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return []
        with open(f"/proc/self/fd/{found}", "rb") as file:
            data = file.read(_MAX_BYTES)
    finally:
        os.close(found)
    return [line for line in data.decode("utf-8", "surrogateescape").split("\n") if line and not line.startswith("#")]
