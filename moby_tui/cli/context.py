"""The build context: a directory as a tar, without what ``.dockerignore`` names.

Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass

from moby_tui.errors import InvalidArgument


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    excludes: bool


def _expression(pattern: str) -> str:
    """A pattern as a regular expression: Go's filepath.Match and ``**``; it covers everything below what it names."""
    parts, i = [], 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            parts.append("(?:.*/)?")
            i += 3
        elif pattern.startswith("**", i):
            parts.append(".*")
            i += 2
        elif pattern[i] == "*":
            parts.append("[^/]*")
            i += 1
        elif pattern[i] == "?":
            parts.append("[^/]")
            i += 1
        elif pattern[i] == "[" and (end := pattern.find("]", i + 2)) > 0:
            inner = pattern[i + 1 : end]
            negated = "^" if inner.startswith("^") else ""
            parts.append(f"[{negated}{re.escape(inner.removeprefix('^')).replace(chr(92) + '-', '-')}]")
            i = end + 1
        elif pattern[i] == "\\" and i + 1 < len(pattern):
            parts.append(re.escape(pattern[i + 1]))
            i += 2
        else:
            parts.append(re.escape(pattern[i]))
            i += 1
    return "".join(parts) + "(?:/.*)?"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_expression(pattern), re.DOTALL)
    except re.error:
        raise InvalidArgument(f"invalid pattern {pattern!r} in .dockerignore: a range ends before it begins") from None


class Ignore:
    """The patterns of one ``.dockerignore``; the last one that matches decides. Raises ``InvalidArgument`` for a bad one."""

    def __init__(self, text: str) -> None:
        self._rules: list[_Rule] = []
        for raw in text.removeprefix("\ufeff").splitlines():
            line = raw.strip()
            if not line or raw.startswith("#"):
                continue
            excludes = not line.startswith("!")
            pattern = os.path.normpath(line.removeprefix("!").strip()).lstrip("/")
            if pattern != ".":
                self._rules.append(_Rule(_compiled(pattern), excludes))
        self.has_exceptions = any(not rule.excludes for rule in self._rules)

    def excludes(self, path: str) -> bool:
        """Whether a path (relative to the context, with slashes) is left out."""
        return next((rule.excludes for rule in reversed(self._rules) if rule.pattern.fullmatch(path)), False)


def _ignore_file(context: str, dockerfile: str) -> Ignore:
    """The Dockerfile's own ignore file where there is one, else the context's."""
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
            archive.add(entry.path, arcname=path, recursive=False, filter=_owned_by_root)
        if is_folder and (not left_out or ignore.has_exceptions or any(name.startswith(f"{path}/") for name in needed)):
            _add_folder(archive, context, path, ignore, needed)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
