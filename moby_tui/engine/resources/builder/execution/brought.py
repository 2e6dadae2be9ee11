"""What COPY and ADD put into an image without finding it in a tree: here-documents, and files from the net."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from moby_tui.engine.archive import limits
from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import copying
from moby_tui.engine.resources.images.registry import pace
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import InvalidArgument, MobyError, Unavailable

_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_REDIRECTS = 10


class Brought:
    """Files of one instruction, in a folder of their own; ``names`` are the words in the instruction that stand for them."""

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / f"brought-{os.urandom(8).hex()}"
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

    async def fetch(self, url: str, checksum: str, *, to_folder: bool) -> None:
        """Raises ``InvalidArgument`` for another content than ``checksum`` says, ``Unavailable``."""
        from aiohttp import ClientError, ClientSession, ClientTimeout, InvalidURL

        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise InvalidArgument(f"invalid checksum {checksum[:80]!r}: write it as sha256:<hex>")
        name = unquote(posix_name(url))
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            if to_folder:
                raise InvalidArgument(f"cannot determine filename from url: {url[:200]}")
            name = "download"
        file = self._place(url, name)
        most = limits.value(limits.MOST_UNPACKED)
        total = hashlib.sha256()
        patience = limits.value(limits.PATIENCE)
        timeout = ClientTimeout(total=None, sock_connect=patience, sock_read=patience)
        try:
            async with ClientSession(timeout=timeout, trust_env=True) as session:
                # to follow all redirects, however little of an answer comes again and again
                async with asyncio.timeout(_REDIRECTS * patience):
                    answer = await session.get(url, max_redirects=_REDIRECTS)
                if answer.status != 200:
                    raise Unavailable(f"{url[:200]} answers {answer.status} {answer.reason}")
                with file.open("wb") as out, refusals_told():
                    async for piece in pace.body(answer):
                        total.update(piece)
                        out.write(piece)
                        if out.tell() > most:
                            raise InvalidArgument(
                                f"{url[:200]} has more than {most} bytes; set {limits.MOST_UNPACKED[0]} to more if you trust it"
                            )
                modified = answer.headers.get("Last-Modified", "")
        except (InvalidURL, ValueError) as error:
            raise InvalidArgument(f"{url[:200]} is no address") from error
        except (ClientError, TimeoutError, ConnectionError) as error:
            raise Unavailable(f"{url[:200]} cannot be fetched: {error or 'it does not answer'}; check the network") from error
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
            return copying.digest(root, self.paths)

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        if self.paths:
            with trees.closing(self.open()) as folder:
                copying.copy(folder, self.paths, root, target, attributes)


def posix_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
