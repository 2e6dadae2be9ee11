"""Files that COPY and ADD do not take from a tree: here-documents, and downloads."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import aclosing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import copying, selection
from moby_tui.engine.resources.images.registry.web import Download
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import InvalidArgument, MobyError

#: Bytes of a name (path_resolution(7)).
_LONGEST_NAME = 255
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


class NewFiles:
    """The files of one instruction, in a folder of their own; ``names`` are the arguments of the instruction that stand for them."""

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / f"new-files-{os.urandom(8).hex()}"
        self.names: set[str] = set()
        self.paths: list[bytes] = []

    def write(self, word: str, name: str, data: bytes) -> None:
        with refusals_told():
            self._place(word, name).write_bytes(data)

    def _place(self, word: str, name: str) -> Path:
        self._folder.mkdir(exist_ok=True)
        self.names.add(word)
        self.paths.append(os.fsencode(name))
        return self._folder / name

    async def fetch(self, url: str, checksum: str, *, to_folder: bool, name: str = "") -> None:
        """``name`` is that of the file, if it is not what the address ends with.

        Raises ``InvalidArgument`` for another content than ``checksum`` says, and what ``Download.pieces`` does."""
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise InvalidArgument(f"invalid checksum {checksum[:80]!r}: write it as sha256:<hex>")
        name = name or unquote(posix_name(url))
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            if to_folder:
                raise InvalidArgument(f"cannot determine filename from url: {url[:200]}")
            name = "download"
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise InvalidArgument(f"the name of the file at {url[:200]} has more than {_LONGEST_NAME} bytes")
        file = self._place(url, name)
        total = hashlib.sha256()
        download = Download(url)
        with file.open("wb") as out, refusals_told():
            async with aclosing(download.pieces()) as pieces:
                async for piece in pieces:
                    total.update(piece)
                    out.write(piece)
        modified = download.headers.get("Last-Modified", "")
        file.chmod(0o600)
        with suppress(ValueError, TypeError, OverflowError):
            moment = parsedate_to_datetime(modified).timestamp()
            os.utime(file, (moment, moment))
        if checksum and f"sha256:{total.hexdigest()}" != checksum:
            raise MobyError(f"digest mismatch sha256:{total.hexdigest()}: {checksum}")

    @property
    def count(self) -> int:
        return len(self.paths)

    def open(self) -> int:
        """A descriptor of the folder."""
        return os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def digest(self) -> str:
        with trees.closing(self.open()) as root:
            return selection.digest(root, self.paths)

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        if self.paths:
            with trees.closing(self.open()) as folder:
                copying.copy(folder, self.paths, root, target, attributes)


def posix_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
