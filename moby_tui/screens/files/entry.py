"""One name in a folder as the dashboard shows it. Names come from containers and images, and are cleaned."""

from __future__ import annotations

import posixpath
import stat
from dataclasses import dataclass

from msgspec import UNSET

from moby_tui.copying.reading import Member
from moby_tui.schema.files import FolderEntry
from moby_tui.screens import text

#: What a container has done to a path of its image, or a layer to one below it.
ADDED, CHANGED, DELETED = "A", "C", "D"
_LETTERS = {
    "directory": stat.S_IFDIR,
    "file": stat.S_IFREG,
    "link": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "character": stat.S_IFCHR,
    "block": stat.S_IFBLK,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """``path`` is what the engine knows it by, ``name`` what is shown. ``mark`` is empty, or what was done to it.

    ``reachable`` is false for a name that is not UTF-8 of an engine elsewhere: no request can carry it.
    """

    path: str
    name: str
    kind: str
    size: int = 0
    mode: int = 0
    owner: str = ""
    modified: str = ""
    target: str = ""
    mark: str = ""
    reachable: bool = True

    @property
    def is_folder(self) -> bool:
        return self.kind == "directory"

    @property
    def permissions(self) -> str:
        """``drwxr-xr-x``; nothing for what is deleted."""
        return stat.filemode(_LETTERS.get(self.kind, 0) | self.mode) if self.mode or self.owner else ""


def shown(name: str) -> str:
    """A name as it can be drawn: bytes that are no UTF-8 are escaped, and so is what would act on the terminal."""
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text.clean(plain) or "?"


def of_listing(folder: str, found: FolderEntry, mark: str = "") -> Entry:
    """As the engine tells of it."""
    return Entry(
        path=posixpath.join(folder, found.name),
        name=shown(found.name),
        kind=found.type,
        size=found.size,
        mode=found.mode,
        owner=f"{found.uid}:{found.gid}",
        modified=text.clean(found.modified[:19].replace("T", " ")),
        target=shown(found.target) if found.target is not UNSET and found.target else "",
        mark=mark,
        reachable="\ufffd" not in found.name,
    )


def of_member(path: str, found: Member, modified: str, mark: str = "") -> Entry:
    """As an archive has it."""
    return Entry(
        path=path,
        name=shown(posixpath.basename(path)),
        kind=found.kind,
        size=found.size,
        mode=found.mode,
        owner=f"{found.uid}:{found.gid}",
        modified=modified,
        target=shown(found.target) if found.target else "",
        mark=mark,
    )


def deleted(path: str) -> Entry:
    """What was there and is no more."""
    return Entry(path=path, name=shown(posixpath.basename(path)), kind="file", mark=DELETED)
