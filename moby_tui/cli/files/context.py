"""The build context: a directory as a tar, without what ``.dockerignore`` names.

Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import os
import tarfile
from contextlib import suppress

from moby_tui.patterns import Ignore


def _ignore_file(context: str, dockerfile: str) -> Ignore:
    """The Dockerfile's own ignore file if there is one, else the context's."""
    names = [f"{dockerfile}.dockerignore"] if dockerfile else []
    for name in (*names, ".dockerignore"):
        try:
            with open(os.path.join(context, name), encoding="utf-8", errors="surrogateescape") as file:
                return Ignore(file.read())
        except FileNotFoundError:
            continue
    return Ignore("")


def add_context(archive: tarfile.TarFile, context: str, dockerfile: str, ignore_text: bytes | None = None) -> None:
    """Packs the context, owned by root. The Dockerfile, where it lies in it, and the ignore files are always sent: the build itself
    needs them. ``ignore_text`` is what an ignore file elsewhere says."""
    ignore = _ignore_file(context, dockerfile) if ignore_text is None else Ignore(ignore_text.decode("utf-8", "surrogateescape"))
    needed = {dockerfile, f"{dockerfile}.dockerignore", ".dockerignore"} if dockerfile else {".dockerignore"}
    _add_folder(archive, context, "", ignore, frozenset(needed))


def _add_folder(archive: tarfile.TarFile, context: str, folder: str, ignore: Ignore, needed: frozenset[str]) -> None:
    for entry in sorted(os.scandir(os.path.join(context, folder)), key=lambda entry: entry.name):
        path = os.path.join(folder, entry.name)
        left_out = ignore.excludes(path) and path not in needed
        is_folder = entry.is_dir(follow_symlinks=False)
        if not left_out:
            _add(archive, entry.path, path)
        if is_folder and (not left_out or ignore.has_exceptions or any(name.startswith(f"{path}/") for name in needed)):
            _add_folder(archive, context, path, ignore, needed)


def _add(archive: tarfile.TarFile, file: str, name: str) -> None:
    """With what a copy keeps of its extended attributes: a program's capabilities, and the user's own."""

    def settle(member: tarfile.TarInfo) -> tarfile.TarInfo:
        with suppress(OSError):
            for key in os.listxattr(file, follow_symlinks=False):
                if key == "security.capability" or key.startswith("user."):
                    value = os.getxattr(file, key, follow_symlinks=False)
                    kept = {f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape")}
                    member.pax_headers = {**member.pax_headers, **kept}
        return _owned_by_root(member)

    archive.add(file, arcname=name, recursive=False, filter=settle)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
