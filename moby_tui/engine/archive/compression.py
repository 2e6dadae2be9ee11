"""Decompression of layers and archives while they stream.

The format is recognized by the first bytes, not by the name.
Several gzip members, zstd frames, xz or bzip2 streams in a row are one stream (eStargz and zstd:chunked layers are such, and what
pixz and pbzip2 write).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from moby_tui.engine.archive import limits
from moby_tui.errors import InvalidArgument

GZIP, ZSTD, XZ, BZIP2 = "gzip", "zstd", "xz", "bzip2"
#: Skippable frames may stand before the first frame with data; their magic is 0x184D2A50 to 0x184D2A5F.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_MAGIC_BYTES = 6
#: Small enough to stay in the processor's cache until it is hashed and written.
_PIECE = 1 << 18
#: The largest window a zstd frame may ask for is 128 MiB, as for the zstd tool: it is memory that the sender makes us take.
_ZSTD_WINDOW_LOG = 27
#: As much for an xz dictionary, and what the decoder needs beside it; ``xz -9`` takes 64 MiB.
_XZ_MEMORY = (128 + 8) << 20


def pieces_of(file: Path) -> Iterator[bytes]:
    """The content of a file, piece by piece. Blocks; raises ``OSError``."""
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            yield piece


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plain bytes of a gzip, bzip2, xz, zstd or uncompressed stream. Raises ``InvalidArgument`` if it is damaged,
    or becomes larger than ``limits.MOST_UNPACKED``.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _MAGIC_BYTES:
            break
    stream = _chain(head, source)
    format = detect(head)
    return _bounded(_decode(stream, _DECODERS[format])) if format else stream


def _bounded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Stops at the limit. A few bytes can expand to any size, and take the time to decompress even if the result is dropped."""
    left = most = limits.value(limits.MOST_UNPACKED)
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise InvalidArgument(
                f"compressed data becomes more than {most} bytes; set {limits.MOST_UNPACKED[0]} to more if you trust its sender"
            )
        yield piece


def detect(head: bytes) -> str:
    """The compression of a stream with these first bytes: ``GZIP``, ``ZSTD``, ``XZ``, ``BZIP2``, or empty for none."""
    if head.startswith(b"\x1f\x8b\x08"):
        return GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == _ZSTD_SKIPPABLE and head[0] & 0xF0 == 0x50):
        return ZSTD
    if head.startswith(b"\xfd7zXZ\x00"):
        return XZ
    return BZIP2 if head.startswith(b"BZh") else ""


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


class _Decoder(Protocol):
    """One member or frame."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...
    @property
    def ended(self) -> bool: ...
    @property
    def rest(self) -> bytes:
        """The fed bytes that come after the end of the member."""
        ...


class _Gzip:
    def __init__(self) -> None:
        from isal import isal_zlib

        self._member = isal_zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._member.eof:
            yield self._member.decompress(data, _PIECE)
            data = self._member.unconsumed_tail

    @property
    def ended(self) -> bool:
        return bool(self._member.eof)

    @property
    def rest(self) -> bytes:
        return bytes(self._member.unused_data).lstrip(b"\0")  # zeros between and after members are padding (gzip(1))


class _Library:
    """A decoder of the standard library's ``zstd``, ``lzma`` or ``bz2``, which have the same interface."""

    def __init__(self, decoder: _LibraryDecoder) -> None:
        self._decoder = decoder

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._decoder.decompress(data, _PIECE)
        while not self._decoder.eof and not self._decoder.needs_input:
            yield self._decoder.decompress(b"", _PIECE)

    @property
    def ended(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        # zeros between and after xz streams are padding (xz file format, 2.2), and harmless behind the others
        return self._decoder.unused_data.lstrip(b"\0")


class _LibraryDecoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _zstd() -> _Library:
    if sys.version_info >= (3, 14):
        from compression.zstd import DecompressionParameter, ZstdDecompressor
    else:
        from backports.zstd import DecompressionParameter, ZstdDecompressor

    return _Library(ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}))


def _xz() -> _Library:
    import lzma

    return _Library(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


def _bzip2() -> _Library:
    import bz2

    return _Library(bz2.BZ2Decompressor())


_DECODERS: dict[str, Callable[[], _Decoder]] = {GZIP: _Gzip, ZSTD: _zstd, XZ: _xz, BZIP2: _bzip2}


def _decode(chunks: Iterator[bytes], begin: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Decodes member after member; a decoder stops at the end of one."""
    decoder: _Decoder | None = None
    for chunk in chunks:
        data = chunk if decoder else chunk.lstrip(b"\0")
        while data:
            decoder = decoder or begin()
            yield from _checked(decoder.feed(data))
            data = b""
            if decoder.ended:
                data, decoder = decoder.rest, None
    if decoder:
        raise InvalidArgument("compressed data ends too early; the archive is truncated")


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        try:
            piece = next(pieces, None)
        except Exception as error:  # IsalError, ZstdError, LZMAError and OSError (of bz2) have no common base
            raise InvalidArgument(f"damaged compressed data: {error}") from error
        if piece is None:
            return
        if piece:
            yield piece
