"""A reader of tar streams: ustar, GNU and PAX, as image layers come.

It reads headers and trusts none of them; what an entry may do to a file system is decided by who unpacks it. Formats: tar(5),
POSIX.1-2017 ``pax``, GNU tar manual "Basic Tar Format" and "Storing Sparse Files". Python's ``tarfile`` is not used to read:
it is several times slower and loses nanoseconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from moby_tui.errors import InvalidArgument

BLOCK = 512
#: Extended headers (PAX records, GNU long names, sparse maps) hold names and attributes, never data: more is an attack on memory.
EXTENDED_HEADER_LIMIT = 1 << 20
#: PATH_MAX: no longer name can be created.
NAME_LIMIT = 4096

REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_CONTIGUOUS, _OLD_REGULAR = b"7", b"\0"
_GNU_LONG_NAME, _GNU_LONG_LINK, _GNU_SPARSE = b"L", b"K", b"S"
_PAX, _PAX_SOLARIS, _PAX_GLOBAL = b"x", b"X", b"g"
_KNOWN = frozenset((REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO))
_NO_DATA = frozenset((HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO))

_ZERO_BLOCK = bytes(BLOCK)
_NANO = 1_000_000_000
#: ext4 ends in 2446.
_LAST_TIME_NS = 2**33 * _NANO
#: off_t is signed.
_LARGEST_FILE = 2**63 - 1


Piece = bytes | memoryview


class Entry:
    """One member. Names are bytes, as file names are. ``size`` is that of the data in the stream, ``real_size`` that of the file;
    they differ where ``extents`` lists the pieces (offset, length) that the data fills."""

    # no dataclass: the unpacker would have to import dataclasses
    __slots__ = (
        *("atime_ns", "extents", "gid", "link", "major", "minor", "mode", "mtime_ns"),
        *("name", "real_size", "size", "type", "uid", "xattrs"),
    )

    def __init__(self, header: bytes, name: bytes, type: bytes, link: bytes) -> None:
        """The member as its ``header`` of 512 bytes describes it. Raises ``InvalidArgument``."""
        is_device = type in (CHARACTER, BLOCK_DEVICE)
        self.name = name
        self.type = type
        self.link = link
        self.mode = number(header[100:108]) & 0o7777
        self.uid = number(header[108:116])
        self.gid = number(header[116:124])
        self.size = number(header[124:136])
        self.mtime_ns = number(header[136:148]) * _NANO
        self.major = number(header[329:337]) if is_device else 0
        self.minor = number(header[337:345]) if is_device else 0
        self.xattrs: dict[bytes, bytes] = {}
        self.atime_ns: int | None = None
        self.real_size = 0
        self.extents: list[tuple[int, int]] | None = None

    @property
    def times(self) -> tuple[int, int]:
        """Access and modification time in nanoseconds, clamped to what every file system can store."""
        modified = min(max(self.mtime_ns, 0), _LAST_TIME_NS)
        return modified if self.atime_ns is None else min(max(self.atime_ns, 0), _LAST_TIME_NS), modified


class Source:
    """Exact reads from an iterator of byte strings of any size."""

    def __init__(self, chunks: Iterable[Piece]) -> None:
        self._chunks = iter(chunks)
        self._buffer: Piece = b""
        self._position = 0

    def view(self, size: int) -> memoryview:
        """Up to ``size`` bytes without a copy; at least one unless the stream has ended."""
        if self._position == len(self._buffer):
            self._buffer = next((chunk for chunk in self._chunks if chunk), b"")
            self._position = 0
        data = memoryview(self._buffer)[self._position : self._position + size]
        self._position += len(data)
        return data

    def read(self, size: int) -> bytes:
        """As ``view``, but a copy."""
        return bytes(self.view(size))

    def exactly(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises ``InvalidArgument`` if the stream ends before."""
        data = self.read(size)
        if len(data) < size:
            parts = [data]
            missing = size - len(data)
            while missing:
                part = self.read(missing)
                if not part:
                    raise InvalidArgument("unexpected EOF")
                parts.append(part)
                missing -= len(part)
            data = b"".join(parts)
        return data

    def skip(self, size: int) -> None:
        while size:
            part = self.view(size)
            if not part:
                raise InvalidArgument("unexpected EOF")
            size -= len(part)

    def drain(self) -> None:
        """Reads to the end (what follows the end marker counts for the digest)."""
        while self.view(1 << 30):
            pass


class Reader:
    """The members of a tar stream, once, in order. The data of a member is read before the next is asked for, or is skipped."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = Source(chunks)
        self._unread = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        """Ends at the end marker, or at the end of the stream if there is none. Raises ``InvalidArgument`` for a stream that is no tar."""
        while (entry := self._next()) is not None:
            self._unread, self._padding = entry.size, -entry.size % BLOCK
            if entry.extents is None and entry.real_size < 0:
                self._read_sparse_map_in_data(entry)
            yield entry
            self._source.skip(self._unread)
            self._skip_padding(self._padding)
        self._source.drain()

    def data(self) -> Iterator[memoryview]:
        """The data of the member that was yielded last."""
        while self._unread:
            part = self._source.view(self._unread)
            if not part:
                raise InvalidArgument("unexpected EOF")
            self._unread -= len(part)
            yield part

    def _skip_padding(self, size: int) -> None:
        """The last block's padding may be missing at the end of the stream."""
        while size and (part := self._source.view(size)):
            size -= len(part)

    def _next(self) -> Entry | None:
        long_name = long_link = None
        pax: dict[bytes, bytes] = {}
        while True:
            header = self._header()
            if header is None:
                if pax or long_name is not None or long_link is not None:
                    raise InvalidArgument("unexpected EOF")
                return None
            kind = header[156:157]
            if kind == _GNU_LONG_NAME:
                long_name = self._extended(header).rstrip(b"\0")
            elif kind == _GNU_LONG_LINK:
                long_link = self._extended(header).rstrip(b"\0")
            elif kind in (_PAX, _PAX_SOLARIS):
                pax = parse_pax(self._extended(header))
            elif kind == _PAX_GLOBAL:
                self._extended(header)  # ignored, as Docker does
            else:
                entry = _entry(header, kind, long_name, long_link, pax)
                if kind == _GNU_SPARSE:
                    self._read_gnu_sparse_map(entry, header)
                return _validated(entry)

    def _header(self) -> bytes | None:
        first = self._source.read(BLOCK)
        if not first:
            return None
        header = first if len(first) == BLOCK else first + self._source.exactly(BLOCK - len(first))
        if header == _ZERO_BLOCK:
            return None
        stored = number(header[148:156])
        # sum() of the bytes is the unsigned checksum; very old writers summed signed characters
        unsigned = sum(header) - sum(header[148:156]) + 256
        if stored != unsigned and stored != unsigned - 256 * sum(byte > 127 for byte in header[:148] + header[156:]):
            raise InvalidArgument("archive/tar: invalid tar header")
        return header

    def _extended(self, header: bytes) -> bytes:
        size = number(header[124:136])
        if not 0 <= size <= EXTENDED_HEADER_LIMIT:
            raise InvalidArgument(f"invalid tar header: an extended header of {size} bytes")
        data = self._source.exactly(size)
        self._source.skip(-size % BLOCK)
        return data

    def _read_gnu_sparse_map(self, entry: Entry, header: bytes) -> None:
        """Old GNU: four extents in the header, then blocks of twenty-one while a flag says so."""
        extents = _gnu_extents(header[386:482])
        more = header[482]
        while more:
            block = self._source.exactly(BLOCK)
            extents += _gnu_extents(block[:504])
            more = block[504]
            if len(extents) * 24 > EXTENDED_HEADER_LIMIT:
                raise InvalidArgument("invalid tar header: the sparse map is too large")
        entry.real_size = number(header[483:495])
        entry.extents = _checked_extents(extents, entry.size, entry.real_size)

    def _read_sparse_map_in_data(self, entry: Entry) -> None:
        """PAX 1.0: the map stands before the data, as decimal lines, padded to a block."""
        entry.real_size = -entry.real_size - 1
        read, buffer = 0, b""

        def line() -> int:
            nonlocal read, buffer
            while b"\n" not in buffer:
                if read >= EXTENDED_HEADER_LIMIT or read + BLOCK > entry.size:
                    raise InvalidArgument("invalid tar header: the sparse map does not end")
                buffer += self._source.exactly(BLOCK)
                read += BLOCK
            text, _, buffer = buffer.partition(b"\n")
            return _decimal(text)

        extents = [(line(), line()) for _ in range(line())]
        entry.size -= read
        self._unread -= read
        entry.extents = _checked_extents(extents, entry.size, entry.real_size)


def clean(name: bytes) -> bytes:
    """A member's name relative to the root, ``b""`` for the root itself. Raises ``InvalidArgument`` if it leads above it."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidArgument(f"invalid archive: {os.fsdecode(name)[:200]!r} leads out of it")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def write_file(fd: int, entry: Entry, data: Iterator[memoryview]) -> None:
    """A regular member's data into an empty file; if it is sparse, with holes between its extents. Raises ``OSError``."""
    if entry.extents is None:
        for chunk in data:
            _write(fd, chunk)
        return
    source = Source(data)
    for offset, length in entry.extents:
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            part = source.view(length)
            _write(fd, part)
            length -= len(part)
    os.ftruncate(fd, entry.real_size)


def _write(fd: int, data: memoryview) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def number(raw: bytes) -> int:
    """A numeric field: octal text, or base-256 where the first bit is set (GNU; two's complement)."""
    if raw and raw[0] & 0x80:
        value = int.from_bytes(raw, "big")
        bits = 8 * len(raw)
        return value - (1 << bits) if raw[0] & 0x40 else value - (1 << (bits - 1))
    text = raw.split(b"\0", 1)[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise InvalidArgument("archive/tar: invalid tar header") from None


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """The records ``<length> <key>=<value>\\n``; the last of a key counts, an empty value deletes (POSIX pax)."""
    records: dict[bytes, bytes] = {}
    offsets, sizes = [], []
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = _decimal(data[position:space]) if space > 0 else 0
        end = position + length
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if length < 5 or end > len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
            raise InvalidArgument("invalid tar header: a PAX record is damaged")
        if key == b"GNU.sparse.offset":  # PAX 0.0 repeats its keys
            offsets.append(value)
        elif key == b"GNU.sparse.numbytes":
            sizes.append(value)
        elif value:
            records[key] = value
        else:
            records.pop(key, None)
        position = end
    if offsets:
        if len(offsets) != len(sizes):
            raise InvalidArgument("invalid tar header: the sparse map is damaged")
        records[b"GNU.sparse.map"] = b",".join(part for pair in zip(offsets, sizes, strict=True) for part in pair)
    return records


def _entry(header: bytes, kind: bytes, long_name: bytes | None, long_link: bytes | None, pax: dict[bytes, bytes]) -> Entry:
    name, link = long_name, long_link
    if name is None:
        name = _text(header[:100])
        if header[257:265] == b"ustar\x0000" and (prefix := _text(header[345:500])):
            name = prefix + b"/" + name
    entry = Entry(header, name, kind, _text(header[157:257]) if link is None else link)
    if pax:
        _apply_pax(entry, pax)
    if kind in (_OLD_REGULAR, _CONTIGUOUS, _GNU_SPARSE):
        # before POSIX, a directory was told by its slash
        entry.type = DIRECTORY if kind == _OLD_REGULAR and entry.name.endswith(b"/") else REGULAR
    elif kind not in _KNOWN:
        # volume labels, parts of files and lists of names (GNU: V, M, N, D) are no files; as Docker
        of = os.fsdecode(entry.name)[:80]
        raise InvalidArgument(f"unhandled tar header type {kind[0]} of {of!r}; make the archive without it")
    if entry.type in _NO_DATA and entry.type != HARD_LINK:
        entry.size = 0
    elif entry.type == HARD_LINK and entry.size and b"size" not in pax:
        entry.size = 0  # the size is that of the file linked to, the data is not here
    if entry.extents is None and entry.real_size == 0:
        entry.real_size = entry.size
    return entry


def _apply_pax(entry: Entry, pax: dict[bytes, bytes]) -> None:
    for key, value in pax.items():
        if key == b"path":
            entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size":
            entry.size = _decimal(value)
        elif key == b"uid":
            entry.uid = _decimal(value)
        elif key == b"gid":
            entry.gid = _decimal(value)
        elif key == b"mtime":
            entry.mtime_ns = _nanoseconds(value)
        elif key == b"atime":
            entry.atime_ns = _nanoseconds(value)
        elif key.startswith(b"SCHILY.xattr."):
            entry.xattrs[key[13:]] = value
        elif key.startswith(b"LIBARCHIVE.xattr."):
            entry.xattrs.setdefault(_unquoted(key[17:]), _base64(value))
    if b"GNU.sparse.name" in pax:
        entry.name = pax[b"GNU.sparse.name"]
    if pax.get(b"GNU.sparse.major") == b"1":
        entry.real_size = -_decimal(pax.get(b"GNU.sparse.realsize", b"0")) - 1  # the map is in the data
    elif b"GNU.sparse.map" in pax:
        numbers = [_decimal(part) for part in pax[b"GNU.sparse.map"].split(b",")]
        entry.real_size = _decimal(pax.get(b"GNU.sparse.size", b"0"))
        entry.extents = _checked_extents(list(zip(numbers[::2], numbers[1::2], strict=False)), entry.size, entry.real_size)


def _validated(entry: Entry) -> Entry:
    if entry.size < 0:
        raise InvalidArgument("invalid tar header: a negative size")
    if not entry.name or b"\0" in entry.name or b"\0" in entry.link or max(len(entry.name), len(entry.link)) > NAME_LIMIT:
        raise InvalidArgument(f"invalid tar header: the name {entry.name[:80]!r} is empty, too long or holds a NUL")
    if not (0 <= entry.uid < 2**32 - 1 and 0 <= entry.gid < 2**32 - 1):
        raise InvalidArgument(f"invalid tar header: owner {entry.uid}:{entry.gid} of {entry.name!r}")
    if not (0 <= entry.major < 2**12 and 0 <= entry.minor < 2**20):
        raise InvalidArgument(f"invalid tar header: device {entry.major}:{entry.minor} of {entry.name!r}")
    if any(b"\0" in name for name in entry.xattrs):
        raise InvalidArgument(f"invalid tar header: the name of an extended attribute of {entry.name!r} holds a NUL")
    return entry


def _checked_extents(extents: list[tuple[int, int]], size: int, real_size: int) -> list[tuple[int, int]]:
    if not 0 <= real_size <= _LARGEST_FILE:
        raise InvalidArgument(f"invalid tar header: a sparse file of {real_size} bytes")
    end = 0
    for offset, length in extents:
        if offset < end or length < 0 or offset + length > real_size:
            raise InvalidArgument("invalid tar header: the sparse map overlaps or leaves the file")
        end = offset + length
    if sum(length for _, length in extents) != size:
        raise InvalidArgument("invalid tar header: the sparse map does not fit the data")
    return extents


def _gnu_extents(raw: bytes) -> list[tuple[int, int]]:
    pairs = ((raw[at : at + 12], raw[at + 12 : at + 24]) for at in range(0, len(raw), 24))
    return [(number(offset), number(length)) for offset, length in pairs if offset[0]]


def _text(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise InvalidArgument(f"invalid tar header: {text[:40]!r} is not a number")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    """Seconds with a decimal fraction, exactly."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    value = _decimal(whole.lstrip(b"-") or b"0") * _NANO + (_decimal(fraction[:9].ljust(9, b"0")) if fraction else 0)
    return -value if negative else value


def _unquoted(name: bytes) -> bytes:
    from urllib.parse import unquote_to_bytes  # attributes as libarchive writes them are rare

    return unquote_to_bytes(name)


def _base64(text: bytes) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise InvalidArgument("invalid tar header: an extended attribute is not base64") from None
