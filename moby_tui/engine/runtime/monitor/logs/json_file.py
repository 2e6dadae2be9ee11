"""The ``json-file`` driver: one JSON object per line of output, byte for byte as Docker writes it (light imports).

Docker (``daemon/logger/jsonfilelog/jsonlog``) escapes more than JSON asks for: what would be markup in HTML, and U+2028 and U+2029.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.monitor.logs.rotation import RotatedFile

_SHORT = {0x0D: b"\\r", 0x22: b'\\"', 0x5C: b"\\\\"}
_ESCAPES = {byte: b"\\u%04x" % byte for byte in (*range(0x20), *b"<>&") if byte != 0x0A} | _SHORT
_SAFE = bytes(set(range(256)) - set(_ESCAPES))
_BEGIN = b'{"log":"'
#: Above this share of a text one byte is replaced in runs first: one by one would cost as much per byte as a line.
_DENSE = 1 / 16
_RUN = 256


class JsonFile:
    """Entries in ``path`` and, rotated, in ``path.1`` and so on."""

    def __init__(self, path: str, settings: LogSettings) -> None:
        """Opens the log for appending. Raises ``OSError``."""
        self._file = RotatedFile(path, max_size=settings.max_size, max_files=settings.max_files, compress=settings.compress)
        self._attributes = f'"attrs":{settings.attributes},'.encode() if settings.attributes else b""
        self._heal()

    @property
    def dropped(self) -> int:
        """Bytes of log that could not be written."""
        return self._file.dropped

    def lines(self, stream: str, text: bytes, when: int) -> None:
        """One escape of the block, then each newline becomes an entry's end and the next one's beginning."""
        end = self._end(stream, b"\\n", when)
        self._file.append([_BEGIN, escape(text[:-1]).replace(b"\n", end + _BEGIN), end], _cut)

    def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
        end = self._end(stream, b"", when)
        parts: list[bytes] = []
        for text in texts:
            parts += (_BEGIN, escape(text), end)
        self._file.append(parts, _cut)

    def close(self) -> None:
        self._file.close()

    def _end(self, stream: str, newline: bytes, when: int) -> bytes:
        return b'%b","stream":"%b",%b"time":"%b"}\n' % (newline, stream.encode(), self._attributes, format_time(when).encode())

    def _heal(self) -> None:
        """Adds the newline to a line that a crash has cut, so that the next one is whole."""
        size = self._file.size
        if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
            self._file.put([b"\n"])


def _cut(entries: bytes, bound: int, one_at_least: bool) -> int:
    """The bytes of the whole entries that fit into ``bound`` bytes; with ``one_at_least`` those of the first entry, if it alone is longer."""
    end = entries.rfind(b"\n", 0, bound) + 1
    return end or (entries.find(b"\n") + 1 if one_at_least else 0)


def format_time(nanoseconds: int) -> str:
    """Unix nanoseconds as RFC 3339 in UTC, always with nine digits, so that text order is time order.

    Docker leaves out zeros at the end of the fraction; a time that would have one is a nanosecond later here.
    """
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    fraction += fraction % 10 == 0
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def escape(text: bytes) -> bytes:
    """The text as the inside of a JSON string, but for its newlines. Each byte that is not UTF-8 becomes U+FFFD."""
    special = text.translate(None, _SAFE)
    if special:
        text = _escape_special(text, special)
    return text if text.isascii() else _escape_unicode(text)


def _escape_special(text: bytes, special: bytes) -> bytes:
    if len(special) == len(text) == text.count(text[:1]):
        return _run(text[0], len(text))
    # the backslash first: the others' escapes contain it
    for byte in sorted(set(special), key=lambda byte: byte != 0x5C):
        one = bytes((byte,))
        if special.count(one) > len(text) * _DENSE:
            text = text.replace(one * _RUN, _ESCAPES[byte] * _RUN)
        text = text.replace(one, _ESCAPES[byte])
    return text


@lru_cache(maxsize=1)
def _run(byte: int, length: int) -> bytes:
    """One byte many times, as /dev/zero and sparse files have it: the same piece comes again and again."""
    return _ESCAPES[byte] * length


def _escape_unicode(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        # the codec writes "?" for what it had to escape; byte 1, which is escaped by now, stands for real ones meanwhile
        marked = text.replace(b"?", b"\x01").decode("utf-8", "surrogateescape").encode("utf-8", "replace")
        text = marked.replace(b"?", b"\\ufffd").replace(b"\x01", b"?")
    return text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
