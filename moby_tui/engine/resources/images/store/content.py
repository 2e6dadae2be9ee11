"""The content store: files named by the SHA-256 of what they hold (OCI image layout, folder ``blobs``).

A blob gets its name after its digest and size are verified, so a blob that is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moby_tui.engine.resources.images.store import written
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import MobyError, NotFound
from moby_tui.reference import hex_of

_CHUNK = 1 << 18


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class ContentStore:
    """Blobs by digest. Safe in any number of processes: a second writer of the same blob replaces it with its equal."""

    def __init__(self, blobs: Path) -> None:
        self._folder = blobs / "sha256"

    def path(self, digest: str) -> Path:
        return self._folder / hex_of(digest)

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def read(self, digest: str) -> bytes:
        """A small blob (manifest, configuration). Raises ``NotFound``."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"content {digest} is not in the store; pull the image again") from None

    def write(self, data: bytes, staging: Path) -> str:
        """Stores a small blob; returns its digest."""
        from moby_tui.engine.resources.images.store.staging import scratch

        digest = digest_of(data)
        if not self.has(digest):
            with scratch(staging) as folder, Ingest(folder / "blob") as ingest:
                ingest.write(data)
                ingest.commit(self, digest, len(data))
        return digest

    def adopt(self, file: Path, digest: str) -> None:
        """Gives a verified file of the same file system its name as a blob, with a hard link; the caller's staging removes the other name.

        It carries the mark of ``written`` until it is on the disk."""
        with suppress(FileExistsError):
            if not written.mark(str(file)):
                _sync(file)
            self.path(digest).hardlink_to(file)
            written.appeared(str(self.path(digest)))

    def recheck(self, digest: str) -> None:
        """Verifies a blob that may not have been on the disk when the machine stopped; a damaged one is deleted. Blocking."""
        path = self.path(digest)
        if not written.may_be_lost(str(path)):
            return
        with path.open("rb") as file:
            whole = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest() == digest
        if whole:
            written.vouch(str(path))
        else:
            path.unlink(missing_ok=True)

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> list[str]:
        return ["sha256:" + file.name for file in self._folder.iterdir()]


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


class Ingest:
    """A blob as it comes in. One thread writes; others may ``follow`` what has been written so far.

    Use as a context manager: leaving it closes the file, and without a ``commit`` before, tells the followers that it failed.
    """

    def __init__(self, file: Path, *, keep: bool = False) -> None:
        """``keep`` leaves the file's content, for ``take_in``."""
        self._file = file
        with refusals_told():
            self._fd = os.open(file, os.O_RDWR | os.O_CREAT | (0 if keep else os.O_TRUNC) | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self._changed = threading.Condition()
        self._watcher: tuple[Callable[[int], None], Callable[[], None]] | None = None
        self._complete = False
        self._failure: MobyError | None = None
        self.size = 0

    def __enter__(self) -> Ingest:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._complete:
            self.fail(MobyError("the transfer was interrupted"))
        os.close(self._fd)

    def take_in(self, most: int) -> None:
        """Begins with what the file holds, which is hashed as what comes after it; more than ``most`` bytes are no beginning of this blob."""
        if os.fstat(self._fd).st_size > most:
            os.ftruncate(self._fd, 0)
        while data := os.read(self._fd, _CHUNK):
            self._took(data)

    def write(self, *pieces: bytes | bytearray | memoryview) -> None:
        """Appends; raises ``StorageFull``."""
        with refusals_told():
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._fd, view) :]
        self._took(*pieces)

    def _took(self, *pieces: bytes | bytearray | memoryview) -> None:
        for piece in pieces:
            self._hash.update(piece)
        with self._changed:
            self.size += sum(map(len, pieces))
            self._changed.notify_all()
            if self._watcher:
                self._watcher[0](self.size)

    def digest(self) -> str:
        """Of what has come so far."""
        return "sha256:" + self._hash.hexdigest()

    def verify(self, digest: str, size: int) -> None:
        """Ends the transfer. Raises ``MobyError`` if the content is not what was promised."""
        if self.size != size:
            raise MobyError(f"content {digest} has {self.size} bytes where its manifest says {size}; try again or another source")
        if (actual := self.digest()) != digest:
            raise MobyError(f"content verification failed: expected {digest}, received {actual}; try again or another source")
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def fail(self, error: MobyError) -> None:
        """Ends the transfer: followers raise the error."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()
            if self._watcher:
                self._watcher[1]()

    def commit(self, store: ContentStore, digest: str, size: int) -> None:
        """Verifies and makes the blob appear."""
        if not self._complete:
            self.verify(digest, size)
        with refusals_told():
            store.adopt(self._file, digest)

    def fileno(self) -> int:
        """The descriptor of the file that holds the bytes so far, for reading at an offset."""
        return self._fd

    @contextmanager
    def watched(self, grown: Callable[[int], None], failed: Callable[[], None]) -> Iterator[None]:
        """Within the block, calls back with the number of bytes so far, or on failure; from any thread. The callbacks must not wait."""
        with self._changed:
            self._watcher = (grown, failed)
            grown(self.size)
            if self._failure:
                failed()
        try:
            yield
        except MobyError as error:
            raise self._failure or error from None
        finally:
            with self._changed:
                self._watcher = None

    def follow(self) -> Iterator[bytes]:
        """Yields the bytes from the first on, and waits for more until the transfer ends; raises its error."""
        offset = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda at=offset: self._failure or self._complete or self.size > at)  # type: ignore[misc]
                if self._failure:
                    raise self._failure
                if self._complete and offset == self.size:
                    return
                available = self.size - offset
            data = os.pread(self._fd, min(available, _CHUNK), offset)
            offset += len(data)
            yield data
