"""Digests of files as BuildKit makes them (``cache/contenthash``): what a COPY takes has the same in any place.

An object's is that of a header (kind, mode, owner, size, link; the form is that of Docker's old tarsum) and its bytes; a directory's that
of its own header and of the names and digests in it. Times do not count.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moby_tui import patterns
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.llb.vertices import Unknown
from moby_tui.engine.resources.images.store.content import digest_of

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_KINDS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
#: The digest of the root of a build context, of which the client tells nothing.
_UNTOLD = digest_of(b"")


@dataclass(frozen=True)
class Tree:
    """A directory that files are taken from. ``is_sent``: it comes from a client, which tells no owners, and nothing of its root."""

    root: int
    is_sent: bool

    def digest(self, paths: Sequence[str]) -> str:
        """The digest of what these paths name, absolute and perhaps with wildcards. Blocking.

        Raises ``Unknown`` for sockets and for extended attributes, and ``OSError``."""
        plain = _uncovered([path for path in paths if not _is_wild(path)])
        chosen = sorted([*plain, *(path for path in paths if _is_wild(path))])
        digests = [self._matching(path) if _is_wild(path) else self._following(os.fsencode(path)) for path in chosen]
        return digest_of("\0".join(digests).encode())

    def _following(self, path: bytes) -> str:
        """The digest of one object, or of what is behind a link."""
        with trees.closing(open_in_root(self.root, path, os.O_PATH)) as descriptor:
            status = os.fstat(descriptor)
            opened = f"/proc/self/fd/{descriptor}"
            if not stat.S_ISDIR(status.st_mode):
                return self._object(os.fsencode(opened), None, status)
        with trees.closing(open_in_root(self.root, path, _DIRECTORY)) as top:
            is_root = os.path.samestat(os.fstat(top), os.fstat(self.root))
            return self._directory(top, _UNTOLD if is_root and self.is_sent else self._header(top, None, os.fstat(top)))

    def _matching(self, pattern: str) -> str:
        """The digest of all that a pattern names, each with its name."""
        entries = [entry for path in self._named(pattern) for entry in self._flat(path)]
        if not entries:
            return digest_of(b"")
        if len(entries) == 1 and posixpath.basename(pattern) == os.fsdecode(entries[0][0]):
            return entries[0][1]
        return digest_of(b"\0".join(name + digest.encode() for name, digest in entries))

    def _named(self, pattern: str) -> list[bytes]:
        """The paths that a pattern names. The part before the first wildcard may lead over links."""
        paths = [b""]
        for part in pattern.strip("/").split("/"):
            matcher = patterns.component(part)
            further: list[bytes] = []
            for folder in paths:
                with trees.closing(open_in_root(self.root, folder or b".", os.O_PATH)) as there:
                    if not stat.S_ISDIR(os.fstat(there).st_mode):
                        continue
                with trees.closing(open_in_root(self.root, folder or b".", _DIRECTORY)) as fd:
                    names = [os.fsencode(name) for name in sorted(os.listdir(fd)) if matcher.fullmatch(name)]
                further += [folder + b"/" + name if folder else name for name in sorted(names)]
            paths = further
        return sorted(paths, key=lambda path: path.replace(b"/", b"\0"))

    def _flat(self, path: bytes) -> Iterator[tuple[bytes, str]]:
        """The names and digests of an object and of all in it, each directory with its header alone, before what it holds."""
        pending = [path]
        while pending:
            path = pending.pop()
            folder, _, name = path.rpartition(b"/")
            with trees.closing(open_in_root(self.root, folder or b".", _DIRECTORY)) as above:
                status = os.stat(name, dir_fd=above, follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    yield name, self._following(path)
                elif not stat.S_ISDIR(status.st_mode):
                    yield name, self._object(name, above, status)
                else:
                    yield name, self._header(name, above, status)
                    with trees.closing(trees.open_below(above, name)) as fd:
                        pending += [path + b"/" + each for each in sorted(map(os.fsencode, os.listdir(fd)), reverse=True)]

    def _directory(self, top: int, header: str) -> str:
        """The digest of a directory with all below it; links in it are not followed."""
        inside: dict[bytes, list[tuple[bytes, str]]] = {}
        headers = {b".": header}
        pending = [b"."]
        while pending:
            folder = pending.pop()
            inside[folder] = []
            with trees.closing(trees.open_below(top, folder)) as fd:
                for name in sorted(map(os.fsencode, os.listdir(fd))):
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        path = name if folder == b"." else folder + b"/" + name
                        headers[path] = self._header(name, fd, status)
                        inside[folder].append((name, ""))
                        pending.append(path)
                    else:
                        inside[folder].append((name, self._object(name, fd, status)))
        digests: dict[bytes, str] = {}
        # each after those in it
        for folder in reversed(inside):
            total = hashlib.sha256(b"\0" + headers[folder].encode())
            for name, digest in inside[folder]:
                path = name if folder == b"." else folder + b"/" + name
                total.update(b"\0" + name + (digest or digests.pop(path)).encode())
            digests[folder] = f"sha256:{total.hexdigest()}"
        return digests[b"."]

    def _header(self, name: bytes | int, folder: int | None, status: os.stat_result) -> str:
        """The digest of a directory without what it holds."""
        _refuse_attributes(name, folder)
        return f"sha256:{hashlib.sha256(self._described(status, b'')).hexdigest()}"

    def _object(self, name: bytes, folder: int | None, status: os.stat_result) -> str:
        _refuse_attributes(name, folder)
        if stat.S_ISLNK(status.st_mode):
            total = hashlib.sha256(self._described(status, os.readlink(name, dir_fd=folder)))
        else:
            total = hashlib.sha256(self._described(status, b""))
        if stat.S_ISREG(status.st_mode):
            flags = _READ if folder is not None else _READ & ~os.O_NOFOLLOW
            with trees.closing(os.open(name, flags, dir_fd=folder)) as fd:
                while data := os.read(fd, min(_CHUNK, status.st_size + 1)):
                    total.update(data)
        return f"sha256:{total.hexdigest()}"

    def _described(self, status: os.stat_result, link: bytes) -> bytes:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            raise Unknown("a socket is copied")
        owner = (0, 0) if self.is_sent else (status.st_uid, status.st_gid)
        size = status.st_size if kind == b"0" else 0
        device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (b"3", b"4") else (0, 0)
        return b"namemode%duid%dgid%dsize%dtypeflag%slinkname%sunamegnamedevmajor%ddevminor%d" % (
            *(stat.S_IMODE(status.st_mode), *owner, size, kind, link),
            *device,
        )


def _refuse_attributes(name: bytes | int, folder: int | None) -> None:
    """Raises ``Unknown`` for an object with extended attributes that count."""
    path = name if folder is None else f"/proc/self/fd/{folder}/{os.fsdecode(name)}"  # type: ignore[arg-type]
    for attribute in os.listxattr(path, follow_symlinks=folder is None):
        if attribute == "security.capability" or not attribute.startswith(("security.", "system.")):
            raise Unknown(f"a file that is copied has the extended attribute {attribute[:80]}")


def _is_wild(path: str) -> bool:
    """True for a star, a question mark or a bracket that no backslash escapes."""
    characters = iter(path)
    for character in characters:
        if character == "\\":
            next(characters, None)
        elif character in "*?[":
            return True
    return False


def _uncovered(paths: Sequence[str]) -> list[str]:
    """The paths without those that are below another of them."""
    every = set(paths)
    return [path for path in every if not any(path != other and path.startswith(f"{other.rstrip('/')}/") for other in every)]
