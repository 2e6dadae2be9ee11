"""The local half of ``moby cp``: where a copy goes, and unpacking what a container sent. The archive is hostile."""

from __future__ import annotations

import os
import tarfile

from moby_tui.errors import InvalidArgument, NotFound


def placement(target: str, *, is_directory: bool, source_name: str, contents: bool) -> tuple[str, str]:
    """The local folder to unpack in and the name the copy gets there; ``.`` where only a directory's contents are wanted.

    Docker's rules: into a directory that exists, over or as a file, as a directory that does not exist yet. Raises ``NotFound``
    where the parent is missing, ``InvalidArgument`` for a directory over a file.
    """
    if os.path.isdir(target):
        return target, "." if contents and is_directory else source_name
    parent = os.path.dirname(target.rstrip("/")) or "."
    if not os.path.isdir(parent) or (target.endswith("/") and not is_directory):
        raise NotFound(f"no such directory: {target if target.endswith('/') else parent}")
    if is_directory and os.path.lexists(target):
        raise InvalidArgument(f"cannot copy a directory over the file {target}")
    return parent, os.path.basename(target.rstrip("/"))


def extract(archive: tarfile.TarFile, folder: str, *, name: str, owners: bool) -> None:
    """Unpacks into ``folder``, the root of the archive (its first entry) under the given name; ``owners`` keeps user and group.

    Nothing is written outside of ``folder`` and no device is made: names with ``..`` are refused, and no link is ever followed,
    neither one of the archive's own nor one that was there (``tarfile``'s filters alone do not suffice, CVE-2025-4517).
    Raises ``InvalidArgument``.
    """
    keep = tarfile.tar_filter if owners else tarfile.data_filter
    root: str | None = None
    for member in archive:
        root = member.name.strip("/") if root is None else root
        place = _renamed(member.name, root, name)
        link = _renamed(member.linkname, root, name) if member.islnk() else member.linkname
        try:
            _clear_way(folder, place)
            if member.islnk():
                _clear_way(folder, link)
            safe = keep(member.replace(name=place, linkname=link, deep=False), folder)
            if safe is not None:
                archive.extract(safe, folder, numeric_owner=True, filter="fully_trusted")
        except (tarfile.FilterError, OSError) as error:
            raise InvalidArgument(f"cannot unpack {place!r}: {str(error).lower()}") from None


def extract_all(archive: tarfile.TarFile, folder: str) -> None:
    """Unpacks a whole root file system into ``folder``, over what is there, with its modes and times; all of it belongs to the caller.

    As ``extract`` it writes nothing outside; devices and pipes are left out, and set-id bits. Raises ``InvalidArgument``.
    """
    directories: list[tuple[str, float]] = []
    for member in archive:
        name = os.path.normpath(member.name.lstrip("/"))
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            continue
        if name == "." and member.isdir():
            continue
        link = os.path.normpath(member.linkname.lstrip("/")) if member.islnk() else member.linkname
        path = os.path.join(folder, name)
        try:
            _clear_way(folder, name)
            if member.islnk():
                _clear_way(folder, link)
            if not member.isdir() and os.path.lexists(path):
                os.unlink(path)
            mode = (member.mode & 0o777) | (0o700 if member.isdir() else 0)
            own = member.replace(
                name=name, linkname=link, uid=os.geteuid(), gid=os.getegid(), uname="", gname="", mode=mode, deep=False
            )
            archive.extract(own, folder, numeric_owner=True, filter="fully_trusted")
        except (tarfile.TarError, OSError) as error:
            raise InvalidArgument(f"cannot unpack {name!r}: {str(error).lower()}") from None
        if member.isdir():
            directories.append((path, member.mtime))
    for path, moment in reversed(directories):
        os.utime(path, (moment, moment), follow_symlinks=False)


def _renamed(name: str, old: str, new: str) -> str:
    """The name with its first part, ``old``, replaced. Raises ``InvalidArgument`` where it does not begin with it."""
    name = name.rstrip("/")
    if old in ("", "."):
        return f"{new}/{name.removeprefix('./')}"
    if name == old:
        return new
    if not name.startswith(f"{old}/"):
        raise InvalidArgument(f"the archive names {name!r}, which was not asked for")
    return f"{new}/{name[len(old) + 1 :]}"


def _clear_way(folder: str, name: str) -> None:
    """Raises ``InvalidArgument`` where a link stands on the way to the name; one in its very place is removed."""
    *parents, last = name.split("/")
    if ".." in (*parents, last) or name.startswith("/"):
        raise InvalidArgument(f"the archive names {name!r}, which is outside of what was asked for")
    path = folder
    for parent in parents:
        path = os.path.join(path, parent)
        if os.path.islink(path):
            raise InvalidArgument(f"{path} is a symbolic link: remove it, or copy to another place")
    if os.path.islink(place := os.path.join(path, last)):
        os.unlink(place)


def add_tree(archive: tarfile.TarFile, path: str, name: str, *, owners: bool) -> None:
    """Packs a file or a tree under the given name; without ``owners`` it belongs to root. Sockets are left out."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        if not owners:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
        return member

    archive.add(path, arcname=name, filter=owned)
