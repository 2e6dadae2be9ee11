"""A file that is appended to and rotated: ``log`` becomes ``log.1`` and so on, and the oldest goes (light imports)."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

#: Given entries and a limit: the length of the entries that fit, if asked for at least of the first one.
Cut = Callable[[bytes, int, bool], int]
_COPY = 256 * 1024
_GZIP_HEADER = struct.Struct("<4sLBB")
_GZIP_COMMENT = 0x10
_UNKNOWN_SYSTEM = 255


class RotatedFile:
    """Errors of the disk are not raised: entries that cannot be written are dropped whole, and counted."""

    def __init__(self, path: str, *, max_size: int, max_files: int, compress: bool, head: bytes = b"") -> None:
        """Opens the file to append to it; each begins with ``head``. Raises ``OSError`` if even opening fails."""
        self._path = path
        self._bound = max_size or sys.maxsize
        self._max_files = max_files
        self._compress = compress
        self._compressor = 0
        self._head = head
        #: Bytes that could not be written.
        self.dropped = 0
        self._fd = _open(path)
        self.size = os.fstat(self._fd).st_size

    def fileno(self) -> int:
        return self._fd

    def append(self, parts: list[bytes], cut: Cut) -> None:
        """Writes entries, given in parts, over as many files as they need; an entry is never divided."""
        if not self.size:
            self.put([self._head])
        if self.size + sum(map(len, parts)) <= self._bound:
            self.put(parts)
            return
        entries = b"".join(parts)
        while self.size + len(entries) > self._bound:
            end = cut(entries, max(0, self._bound - self.size), self.size <= len(self._head))
            self.put([entries[:end]])
            entries = entries[end:]
            if not entries or not self._rotate():
                break
        self.put([entries])

    def put(self, parts: list[bytes]) -> None:
        """Whole entries or, where the disk is full or broken, none of them."""
        length = sum(map(len, parts))
        written = 0
        try:
            written = os.writev(self._fd, parts)
            if written < length:
                rest = memoryview(b"".join(parts))
                while written < length:
                    written += os.write(self._fd, rest[written:])
        except OSError:
            self.dropped += length
            if written:
                os.ftruncate(self._fd, self.size)
            return
        self.size += length

    def close(self) -> None:
        self._await_compressor()
        os.close(self._fd)

    def _rotate(self) -> bool:
        """Returns false if the disk does not let it."""
        self._await_compressor()
        fresh = f"{self._path}.new"
        try:
            fd = _open(fresh, os.O_TRUNC)
        except OSError:
            return False
        try:
            for number in range(self._max_files - 1, 0, -1):
                self._shift(number)
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            return False
        os.close(self._fd)
        self._fd, self.size = fd, 0
        self.put([self._head])
        if self._compress and self._max_files > 1:
            self._compressor = _begin_compressing(f"{self._path}.1")
        return True

    def _shift(self, number: int) -> None:
        """Renames the file before ``number`` to ``number``, compressed or not, and deletes the one that had it.

        It goes first: a rename over a file makes ext4 write the renamed one to the disk (``auto_da_alloc``), and these are
        short-lived where a container writes much.
        """
        target = f"{self._path}.{number}"
        source = self._path if number == 1 else f"{self._path}.{number - 1}"
        for suffix in ("", ".gz"):
            with suppress(FileNotFoundError):
                os.unlink(target + suffix)
        for suffix in ("", ".gz"):
            with suppress(FileNotFoundError):
                os.rename(source + suffix, target + suffix)

    def _await_compressor(self) -> None:
        if self._compressor:
            os.waitpid(self._compressor, 0)
            self._compressor = 0


def _open(path: str, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | flags, 0o640)


def _begin_compressing(path: str) -> int:
    """Forks a process that compresses the file; returns its pid, or 0 if no process can be made."""
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid == 0:
        status = 1
        try:
            # close inherited locks and ends of pipes
            os.closerange(0, 65536)
            os.nice(10)
            compress_file(path)
            status = 0
        finally:
            os._exit(status)
    return pid


def compress_file(path: str) -> None:
    """``path`` becomes ``path.gz``, whose comment names the file that it was, so that who was reading that can go on behind it."""
    import zlib

    temporary = f"{path}.gz.new"
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        comment = identity_comment(os.fstat(source))
        os.write(target, _GZIP_HEADER.pack(bytes((0x1F, 0x8B, 8, _GZIP_COMMENT)), 0, 0, _UNKNOWN_SYSTEM) + comment + b"\0")
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        checksum = size = 0
        while data := os.read(source, _COPY):
            checksum, size = zlib.crc32(data, checksum), size + len(data)
            _write_all(target, packer.compress(data))
        _write_all(target, packer.flush() + struct.pack("<LL", checksum, size & 0xFFFFFFFF))
        os.rename(temporary, f"{path}.gz")
        os.unlink(path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(source)
        os.close(target)


def identity_comment(status: os.stat_result) -> bytes:
    """The file that a compressed one was made of."""
    return b"%d:%d" % (status.st_dev, status.st_ino)


def read_identity(fd: int) -> bytes:
    """What ``compress_file`` wrote of a compressed file's origin; empty if another program made it."""
    head = os.pread(fd, 64, 0)
    if head[:3] != b"\x1f\x8b\x08" or len(head) < _GZIP_HEADER.size or head[3] != _GZIP_COMMENT:
        return b""
    return head[_GZIP_HEADER.size :].partition(b"\0")[0]


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
