"""Who a container's process is: ``user[:group]`` looked up in the container's own files, without running anything of it.

A line is read as dockerd reads it: fields that are missing are empty, an id that is no number is 0, and a name of digits alone
is always an id.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.errors import InvalidArgument

#: A passwd file larger than this is no passwd file.
_MAX_BYTES = 8 * 1024 * 1024
#: The highest id that a file may give: the kernel uses the one above for "no id" (credentials(7)).
_MAX_ID = 2**32 - 2
#: The highest id that may be written instead of a name (dockerd, runc and podman agree).
_MAX_WRITTEN_ID = 2**31 - 1
_NUMBER = r"[+-]?[0-9]+"
_MOST_DIGITS = 20
_MOST_LINKS = 40
_PASSWD, _GROUP = "/etc/passwd", "/etc/group"

#: What is mounted in a root that is not attached yet, by destination: a path of the host and a path in it, a descriptor, or None
#: for what holds no file yet.
Mounts = Mapping[str, tuple[str, str] | int | None]


class User(msgspec.Struct, frozen=True):
    uid: int
    gid: int
    groups: list[int]
    home: str


class _Row(msgspec.Struct, frozen=True):
    """A line of passwd (``home``) or of group (``members``)."""

    name: str
    uid: int
    gid: int
    home: str = ""
    members: list[str] = []


def resolve(root: int, text: str, additional: list[str], mounts: Mounts | None = None) -> User:
    """The user that ``text`` names (name or number, group likewise; empty: root), with its supplementary groups.

    ``root`` is a descriptor of the container's root. Names are those of the root's own files; the home directory is that of the
    passwd file which the process will see, with ``mounts``, as runc has it. Raises ``InvalidArgument`` on a name that the files
    do not have, and on an id that no process can have.
    """
    name, _, group = text.partition(":")
    users = _rows(root, _PASSWD)
    user = _find_user(users, name)
    rows = _rows(root, _GROUP) if group or user.name or additional else []
    gid, member_of = user.gid, list[int]()
    if group:
        gid = _find_group(rows, group)
    elif user.name:
        member_of = [row.gid for row in rows if user.name in row.members]
    extra = [_find_group(rows, entry) for entry in additional]
    # the primary group is among the supplementary ones too, as after login (CVE-2022-36109)
    groups = list(dict.fromkeys([gid, *member_of, *extra]))
    _check_ids(name, user.uid, groups)
    return User(user.uid, gid, groups, _home(_rows(root, _PASSWD, mounts) if mounts else users, user.uid))


def _home(users: list[_Row], uid: int) -> str:
    """The first line with this uid counts, whatever its name is."""
    return next((row.home for row in users if row.uid == uid), "/")


def _find_user(rows: list[_Row], wanted: str) -> _Row:
    number = _written_id(wanted or "0")
    for row in rows:
        if row.uid == number if number is not None else row.name == wanted:
            return row
    if number is None:
        raise InvalidArgument(f"unable to find user {wanted}: no matching entries in passwd file")
    return _Row("", number, 0)


def _find_group(rows: list[_Row], wanted: str) -> int:
    """The id of a group, given by number or by its name in the group file. Raises ``InvalidArgument`` for an unknown name."""
    number = _written_id(wanted)
    if number is not None:
        return number
    for row in rows:
        if row.name == wanted:
            return row.gid
    raise InvalidArgument(f"unable to find group {wanted}: no matching entries in group file")


def _written_id(text: str) -> int | None:
    """The number that stands in place of a name; None for a name."""
    if not re.fullmatch(_NUMBER, text):
        return None
    number = _number(text)
    if not 0 <= number <= _MAX_WRITTEN_ID:
        raise InvalidArgument(f"uids and gids must be in range 0-{_MAX_WRITTEN_ID}, and {text[:40]} is not")
    return number


def _check_ids(name: str, uid: int, gids: list[int]) -> None:
    """What a file says may be any number; the kernel takes 32 bits, without the last."""
    for what, number in (("uid", uid), *(("gid", gid) for gid in gids)):
        if not 0 <= number <= _MAX_ID:
            raise InvalidArgument(
                f"unable to become user {name or 'root'}: the container's {_PASSWD} or {_GROUP} gives it the {what} {number}, "
                f"which is not in range 0-{_MAX_ID}"
            )


def _number(text: str) -> int:
    """A field's id: 0 if it is no number. Digits beyond reason are a number that is out of range."""
    return int(text[:_MOST_DIGITS]) if re.fullmatch(_NUMBER, text) else 0


def _rows(root: int, path: str, mounts: Mounts | None = None) -> list[_Row]:
    rows = []
    for line in _read(root, path, mounts or {}).decode("utf-8", "surrogateescape").split("\n"):
        if bare := line.strip():
            fields = [*bare.split(":"), "", "", "", "", ""]
            number = _number(fields[2])
            if path == _PASSWD:
                rows.append(_Row(fields[0], number, _number(fields[3]), fields[5]))
            else:
                rows.append(_Row(fields[0], 0, number, members=fields[3].split(",") if fields[3] else []))
    return rows


def _read(root: int, path: str, mounts: Mounts) -> bytes:
    """The content of a small regular file; nothing if there is no such file.

    A FIFO or a device in its place is not opened: the one would never answer (CVE-2024-9676), the other may act on being opened.
    """
    try:
        with _opened(root, path, mounts) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return b""
            with open(f"/proc/self/fd/{file}", "rb") as opened:
                return opened.read(_MAX_BYTES)
    except OSError:
        return b""


@contextmanager
def _opened(root: int, path: str, mounts: Mounts) -> Iterator[int]:
    """What a path means where ``mounts`` are in their places; links lead from one of them to another."""
    descriptor = open_in_root(root, path, os.O_PATH) if not mounts else _open_through(root, path, mounts)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_through(root: int, path: str, mounts: Mounts) -> int:
    """Name by name, as the kernel would once all is mounted. Raises ``OSError``."""
    done, pending, links = "/", path.split("/")[::-1], 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        done = posixpath.join(done, part) if part != ".." else posixpath.dirname(done)
        if part == ".." or any(f"{mounted}/".startswith(f"{done}/") for mounted in mounts):
            # a mount's place, or on the way to one, which may be made only with it
            continue
        descriptor = _open_in_mount(root, done, mounts, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
                continue
            link = os.readlink("", dir_fd=descriptor)
        finally:
            os.close(descriptor)
        links += 1
        if links > _MOST_LINKS:
            raise FileNotFoundError(path)
        done = "/" if link.startswith("/") else posixpath.dirname(done)
        pending += link.split("/")[::-1]
    return _open_in_mount(root, done, mounts, os.O_PATH)


def _open_in_mount(root: int, path: str, mounts: Mounts, flags: int) -> int:
    """A path without links, in the innermost mount that covers it."""
    mounted = path
    while mounted not in mounts and mounted != "/":
        mounted = posixpath.dirname(mounted)
    if mounted not in mounts:
        return open_in_root(root, path, flags)
    source = mounts[mounted]
    if source is None:
        raise FileNotFoundError(path)
    top = os.dup(source) if isinstance(source, int) else os.open(source[0], os.O_PATH | os.O_CLOEXEC)
    part = "" if isinstance(source, int) else source[1]
    below = f"{part}/{path[len(mounted) :]}".strip("/")
    if not below:
        return top
    try:
        return open_in_root(top, below, flags)
    finally:
        os.close(top)
