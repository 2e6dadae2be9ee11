"""Archives as attackers, old programs and accidents make them, each by name, with what becomes of it.

``REFUSED``: the reason that is told. ``APPLIED``: the tree that comes of it, as ``seen`` describes one. Sources: tar(5), POSIX.1-2017 pax,
the GNU tar manual, OCI image specification layer.md, and the CVEs of those who unpacked such things before us.
"""

from __future__ import annotations

import base64
import gzip
import os
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from images_data import Tar
from moby_tui.engine.resources.images.store.form import is_whiteout
from trees import CAPABILITY

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

Archive = Callable[[], bytes | Tar]
Tree = dict[str, str]


def header(name: bytes, kind: bytes = b"0", size: int = 0, *, raw: dict[int, bytes] | None = None, link: bytes = b"") -> bytes:
    """A ustar header with any bytes at any offset, and the checksum that belongs to it."""
    block = bytearray(512)
    for at, value in {
        0: name[:100],
        100: b"0000644\0",
        108: b"0000000\0",
        116: b"0000000\0",
        124: b"%011o\0" % size,
        136: b"14524770400\0",
        156: kind,
        157: link[:100],
        257: b"ustar\x0000",
        **(raw or {}),
    }.items():
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: bytes, data: bytes = b"", kind: bytes = b"0", **values: object) -> bytes:
    return header(name, kind, len(data), **values) + padded(data)  # type: ignore[arg-type]


def pax(records: bytes) -> bytes:
    return member(b"PaxHeaders/x", records, b"x")


def record(key: bytes, value: bytes) -> bytes:
    """``<length> <key>=<value>\\n``, where the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def base_256(value: int, width: int) -> bytes:
    encoded = bytearray((value % (1 << 8 * width)).to_bytes(width, "big"))
    encoded[0] |= 0x80
    return bytes(encoded)


END = bytes(1024)
F = member(b"f", b"data")


def gnu_sparse(extents: list[tuple[int, int]], data: bytes, real_size: int) -> bytes:
    """The old GNU form: up to four extents in the header."""
    table = b"".join(b"%011o\0%011o\0" % pair for pair in extents)
    raw = {257: b"ustar  \0", 386: table.ljust(97, b"\0"), 483: b"%011o\0" % real_size}
    return header(b"s", b"S", len(data), raw=raw) + padded(data)


def pax_sparse(version: str, extents: list[tuple[int, int]], data: bytes, real_size: int) -> bytes:
    size = b"%d" % real_size
    numbers = [b"%d" % number for pair in extents for number in pair]
    if version == "0.0":
        records = record(b"GNU.sparse.size", size) + record(b"GNU.sparse.numblocks", b"%d" % len(extents))
        for offset, length in extents:
            records += record(b"GNU.sparse.offset", b"%d" % offset) + record(b"GNU.sparse.numbytes", b"%d" % length)
        return pax(records) + member(b"s", data)
    if version == "0.1":
        records = record(b"GNU.sparse.size", size) + record(b"GNU.sparse.name", b"s")
        return pax(records + record(b"GNU.sparse.map", b",".join(numbers))) + member(b"GNUSparseFile.0/s", data)
    records = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    records += record(b"GNU.sparse.name", b"s") + record(b"GNU.sparse.realsize", size)
    table = padded(b"\n".join([b"%d" % len(extents), *numbers]) + b"\n")
    return pax(records) + member(b"GNUSparseFile.0/s", table + data)


def zstd_window(log: int) -> bytes:
    """A frame that asks for a window of 2**log bytes and holds one raw block (RFC 8878)."""
    plain = (F + END)[:2000]
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(log - 10) << 3]) + (len(plain) << 3 | 1).to_bytes(3, "little") + plain


def _deep(depth: int) -> Tar:
    return Tar(tarfile.GNU_FORMAT).add("d/" * depth + "f", data=b"x")


REFUSED: dict[str, tuple[Archive, str]] = {
    # out of the layer, by name
    "parent": (lambda: Tar().add("../secret", data=b"x"), "'../secret' leads out"),
    "parent-below": (lambda: Tar().add("a/../../secret", data=b"x"), "leads out"),
    "parent-directory": (lambda: Tar().directory("..", mode=0o777), "leads out"),
    "parent-absolute": (lambda: Tar().add("/../secret", data=b"x"), "leads out"),
    "parent-in-pax-path": (lambda: pax(record(b"path", b"../secret")) + F + END, "leads out"),
    "parent-in-long-name": (lambda: member(b"././@LongLink", b"../secret\0", b"L") + F + END, "leads out"),
    "parent-in-prefix": (lambda: header(b"secret", raw={345: b"a/../.."}) + END, "leads out"),
    # hard links
    "hard-link-out": (lambda: Tar().link("s", "../secret"), "leads out"),
    "hard-link-absolute-out": (lambda: Tar().link("s", "/../secret"), "leads out"),
    "hard-link-to-nothing": (
        lambda: Tar().link("x", "not-there"),
        "'x': it is a hard link to 'not-there', which is not in this layer",
    ),
    "hard-link-to-later": (lambda: Tar().link("x", "f").add("f", data=b"1"), "not in this layer"),
    "hard-link-to-itself": (lambda: Tar().add("f", data=b"1").link("f", "f"), "not in this layer"),
    "hard-link-to-directory": (lambda: Tar().directory("d").link("x", "d"), "'x': Operation not permitted"),
    "hard-link-to-root": (lambda: Tar().link("x", "."), "'x': "),
    "hard-link-to-whiteout": (lambda: Tar().add(".wh.f").link("x", "f"), "not in this layer"),
    "hard-link-through-link-out": (lambda: Tar().symlink("l", "../..").link("x", "l/secret"), "not in this layer"),
    "hard-link-below-file": (lambda: Tar().add("f").link("x", "f/y"), "'x': Not a directory"),
    # symbolic links
    "link-loop": (lambda: Tar().symlink("a", "b").symlink("b", "a").add("a/x", data=b"x"), "'a/x': Too many levels"),
    "link-to-itself": (lambda: Tar().symlink("a", "a").add("a/x", data=b"x"), "Too many levels"),
    # whiteouts
    "whiteout-of-dot": (lambda: Tar().add(".wh.."), "whiteout"),
    "whiteout-of-parent": (lambda: Tar().add(".wh..."), "whiteout"),
    "whiteout-of-nothing": (lambda: Tar().add(".wh."), "whiteout"),
    "whiteout-of-parent-below": (lambda: Tar().add("a/.wh..."), "whiteout"),
    "whiteout-in-the-guise-of-a-device": (lambda: Tar().add("null", tarfile.CHRTYPE), "'null' is a device 0:0"),
    # names
    "name-of-256-bytes": (lambda: Tar().add("n" * 256, data=b"x"), "File name too long"),
    "path-of-5000-bytes": (lambda: _deep(2500), "too long"),
    "name-empty": (lambda: header(b"") + END, "is empty"),
    "name-with-nul-in-pax": (lambda: pax(record(b"path", b"a\0b")) + F + END, "NUL"),
    "link-with-nul-in-pax": (lambda: pax(record(b"linkpath", b"a\0b")) + member(b"l", kind=b"2") + END, "NUL"),
    "link-empty": (lambda: member(b"l", kind=b"2") + END, "'l': No such file"),
    "link-of-5000-bytes": (lambda: Tar().symlink("l", "t" * 5000), "too long"),
    # numbers
    "size-negative": (lambda: header(b"f", raw={124: base_256(-1, 12)}) + END, "negative size"),
    "size-negative-in-pax": (lambda: pax(record(b"size", b"-512")) + F + END, "invalid tar header"),
    "size-beyond-the-archive": (lambda: header(b"f", size=0o77777777777) + b"x" * 512, "unexpected EOF"),
    "size-of-exabytes": (lambda: header(b"f", raw={124: base_256(1 << 62, 12)}) + END, "unexpected EOF"),
    "size-of-twenty-digits-in-pax": (lambda: pax(record(b"size", b"9" * 30)) + F + END, "invalid tar header"),
    "size-not-octal": (lambda: header(b"f", raw={124: b"0000000009x\0"}) + END, "invalid tar header"),
    "owner-negative": (lambda: header(b"f", raw={108: base_256(-5, 8)}) + END, "owner -5:0"),
    "owner-beyond-32-bits": (lambda: header(b"f", raw={108: base_256(1 << 40, 8)}) + END, "owner"),
    "owner-nobody-at-all": (lambda: pax(record(b"uid", b"4294967295")) + F + END, "owner 4294967295"),
    "device-beyond-20-bits": (lambda: header(b"d", b"3", raw={329: base_256(1 << 20, 8)}) + END, "device"),
    "time-in-words": (lambda: pax(record(b"mtime", b"yesterday")) + F + END, "invalid tar header"),
    # extended headers
    "pax-of-gigabytes": (lambda: header(b"x", b"x", 1 << 32) + END, "extended header of 4294967296"),
    "pax-of-two-mebibytes": (lambda: Tar().add("a", pax={"comment": "x" * (2 << 20)}), "extended header"),
    "pax-truncated": (lambda: pax(record(b"path", b"abc"))[:600], "unexpected EOF"),
    "pax-and-no-member": (lambda: pax(record(b"path", b"abc")) + END, "unexpected EOF"),
    "pax-length-too-long": (lambda: pax(b"99 path=a\n") + F + END, "PAX record"),
    "pax-length-zero": (lambda: pax(b"0 path=a\n") + F + END, "PAX record"),
    "pax-without-equals": (lambda: pax(b"9 patha\n\n") + F + END, "PAX record"),
    "long-name-of-gigabytes": (lambda: header(b"././@LongLink", b"L", 1 << 31) + END, "extended header"),
    "long-name-and-no-member": (lambda: member(b"././@LongLink", b"n\0", b"L") + END, "unexpected EOF"),
    "xattr-not-base64": (lambda: pax(record(b"LIBARCHIVE.xattr.user.a", b"*")) + F + END, "base64"),
    "capability-damaged": (lambda: pax(record(b"SCHILY.xattr.security.capability", b"xy")) + F + END, "'f': Invalid argument"),
    # sparse maps
    "sparse-overlapping": (lambda: pax_sparse("0.1", [(0, 4), (2, 4)], b"x" * 8, 100) + END, "sparse map"),
    "sparse-beyond-its-size": (lambda: gnu_sparse([(1000, 4)], b"data", 100) + END, "sparse map"),
    "sparse-without-data": (lambda: pax_sparse("0.0", [(0, 1 << 40)], b"data", 1 << 41) + END, "does not fit"),
    "sparse-map-without-end": (
        lambda: pax_sparse("1.0", [(0, 4)], b"data", 100)[:-1024] + b"9" * 1024 + END,
        "sparse map|number",
    ),
    "sparse-map-of-millions": (
        lambda: (
            pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.realsize", b"9")) + member(b"s", b"999999999\n") + END
        ),
        "does not end",
    ),
    "sparse-blocks-without-end": (
        lambda: header(b"s", b"S", 0, raw={257: b"ustar  \0", 482: b"\1"}) + (b"%011o\0%011o\0" % (0, 0) * 21 + b"\1" * 8) * 5000,
        "sparse map is too large|unexpected EOF",
    ),
    "sparse-counts-that-differ": (lambda: pax(record(b"GNU.sparse.offset", b"0")) + F + END, "damaged"),
    "sparse-of-eight-exbibytes": (lambda: _huge_sparse(), "'s': "),
    "sparse-larger-than-any-file": (
        lambda: pax_sparse("0.1", [(0, 4)], b"data", 1 << 63) + END,
        "a sparse file of 9223372036854775808",
    ),
    "sparse-larger-than-any-file-1.0": (
        lambda: pax_sparse("1.0", [(0, 4)], b"data", 10**19) + END,
        "a sparse file of 1000000000000",
    ),
    "sparse-of-less-than-nothing": (
        lambda: header(b"s", b"S", raw={257: b"ustar  \0", 386: bytes(97), 483: base_256(-5, 12)}) + END,
        "a sparse file of -5 bytes",
    ),
    "attribute-with-nul": (lambda: pax(record(b"SCHILY.xattr.user.\0x", b"v")) + F + END, "holds a NUL"),
    "attribute-with-nul-of-libarchive": (lambda: pax(record(b"LIBARCHIVE.xattr.user.%00x", b"dg")) + F + END, "holds a NUL"),
    # what is no tar at all
    "checksum": (lambda: b"g" + F[1:] + END, "invalid tar header"),
    "text": (lambda: b"this is not an archive\n" * 100, "invalid tar header"),
    "truncated-data": (lambda: F[:514], "unexpected EOF"),
    "truncated-header": (lambda: F + F[:300], "unexpected EOF"),
    "gzip-truncated": (lambda: gzip.compress(F + END)[:-12], "truncated"),
    "gzip-damaged": (lambda: gzip.compress(F + END)[:10] + b"\xff" * 100, "damaged"),
    "gzip-wrong-sum": (lambda: gzip.compress(F + END)[:-8] + bytes(8), "damaged"),
    "gzip-then-garbage": (lambda: gzip.compress(F + END) + b"garbage" * 100, "damaged"),
    "zstd-truncated": (lambda: zstd.compress(F + END)[:-3], "truncated"),
    "zstd-window-of-2-gibibytes": (lambda: zstd_window(31), "damaged"),
    "volume-label": (lambda: member(b"label", kind=b"V") + F + END, "unhandled tar header type 86 of 'label'"),
    "volume-label-last": (lambda: F + member(b"label", kind=b"V") + END, "unhandled tar header type 86"),
    "part-of-a-volume": (lambda: member(b"f", b"rest", b"M") + END, "unhandled tar header type 77"),
    "long-names-of-old": (lambda: member(b"f", b"names", b"N") + END, "unhandled tar header type 78"),
    "dumped-directory": (lambda: member(b"d/", b"Yf\0\0", b"D") + END, "unhandled tar header type 68"),
    "attributes-of-solaris": (lambda: member(b"f", b"x", b"A") + END, "unhandled tar header type 65"),
    "unknown-kind": (lambda: member(b"f", b"data", b"Z") + END, "unhandled tar header type 90"),
    "xz": (lambda: b"\xfd7zXZ\x00" + bytes(100), "damaged compressed data"),
    "bzip2": (lambda: b"BZh91AY&SY" + bytes(100), "damaged compressed data"),
}


def _huge_sparse() -> bytes:
    real = (1 << 63) - 1
    records = record(b"GNU.sparse.size", b"%d" % real) + record(b"GNU.sparse.name", b"s") + record(b"GNU.sparse.map", b"0,4")
    return pax(records) + member(b"x", b"data") + END


APPLIED: dict[str, tuple[Archive, Tree]] = {
    # names that lead nowhere but in
    "absolute": (lambda: Tar().add("/etc/f", data=b"x"), {"etc": "d 755", "etc/f": "f 644 x"}),
    "dots": (lambda: Tar().add("./a/./../b//f", data=b"x"), {"b": "d 755", "b/f": "f 644 x"}),
    "the-root": (lambda: Tar().directory("./", mode=0o700).add("./f", data=b"x"), {"f": "f 644 x"}),
    "file-as-the-root": (lambda: Tar().add("./", data=b"x"), {}),
    "link-out": (
        lambda: Tar().symlink("out", "../..").add("out/secret", data=b"x"),
        {"out": "l ../..", "secret": "f 644 x"},
    ),
    "link-absolute": (
        lambda: Tar().directory("d").symlink("l", "/d").add("l/f", data=b"x"),
        {"d": "d 755", "d/f": "f 644 x", "l": "l /d"},
    ),
    "links-through-links": (
        lambda: Tar().symlink("a", "b/../..").symlink("b", "c").directory("c").add("a/secret", data=b"x"),
        {"a": "l b/../..", "b": "l c", "c": "d 755", "secret": "f 644 x"},
    ),
    "link-to-what-is-not-there": (
        lambda: Tar().symlink("run", "../x/y").add("run/f", data=b"x"),
        {"run": "l ../x/y", "x": "d 755", "x/y": "d 755", "x/y/f": "f 644 x"},
    ),
    "link-then-directory-then-file": (
        lambda: Tar().symlink("l", "..").directory("l").add("l/secret", data=b"x"),
        {"l": "d 755", "l/secret": "f 644 x"},
    ),
    "link-then-file-of-its-name": (lambda: Tar().symlink("f", "../secret").add("f", data=b"x"), {"f": "f 644 x"}),
    "link-put-in-the-way-later": (
        lambda: Tar().add("d/a", data=b"1").symlink("d", "..").add("d/secret", data=b"2"),
        {"d": "l ..", "secret": "f 644 2"},
    ),
    "hard-link-to-link-out": (
        lambda: Tar().symlink("s", "../secret").link("h", "s", mode=0o777),
        {"h": "l ../secret", "s": "l ../secret"},
    ),
    "hard-link-through-a-link": (
        lambda: Tar().add("d/f", data=b"x").symlink("l", "d").link("h", "l/f"),
        {"d": "d 755", "d/f": "f 644 x", "h": "f 644 x", "l": "l d"},
    ),
    "hard-link-absolute": (lambda: Tar().add("f", data=b"x").link("h", "/f"), {"f": "f 644 x", "h": "f 644 x"}),
    "hard-link-then-written": (
        lambda: Tar().add("f", data=b"1").link("h", "f").add("h", data=b"2"),
        {"f": "f 644 1", "h": "f 644 2"},
    ),
    "hard-link-with-a-size": (lambda: F + header(b"h", b"1", 4, link=b"f") + END, {"f": "f 644 data", "h": "f 644 data"}),
    # twice the same
    "file-twice": (lambda: Tar().add("f", data=b"1", mode=0o600).add("f", data=b"2"), {"f": "f 644 2"}),
    "directory-twice": (
        lambda: Tar().directory("d").add("d/f", data=b"x").directory("d", mode=0o700),
        {"d": "d 700", "d/f": "f 644 x"},
    ),
    "directory-then-file": (lambda: Tar().add("d/f", data=b"x").add("d", data=b"2"), {"d": "f 644 2"}),
    "file-then-below-it": (lambda: Tar().add("d", data=b"1").add("d/f", data=b"2"), {"d": "d 755", "d/f": "f 644 2"}),
    # whiteouts
    "whiteout": (lambda: Tar().add("d/.wh.f"), {"d": "d 755", "d/f": "w"}),
    "whiteout-twice": (lambda: Tar().add(".wh.f").add(".wh.f"), {"f": "w"}),
    "whiteout-with-data": (lambda: Tar().add(".wh.f", data=b"x" * 1000).add("g", data=b"y"), {"f": "w", "g": "f 644 y"}),
    "whiteout-as-a-link": (lambda: Tar().symlink(".wh.f", "../secret"), {"f": "w"}),
    "whiteout-of-what-is-here": (lambda: Tar().add("f", data=b"x").add(".wh.f"), {"f": "f 644 x"}),
    "whiteout-of-a-directory-here": (lambda: Tar().add("d/f", data=b"x").add(".wh.d"), {"d": "d 755 opaque", "d/f": "f 644 x"}),
    "whiteout-below-a-file": (
        lambda: Tar().add("d/f/g").add("d/f", data=b"x").add("d/f/g/.wh.h").add("d/f/.wh.g"),
        {"d": "d 755", "d/f": "f 644 x"},
    ),
    "opaque-below-a-file": (lambda: Tar().add("f", data=b"x").add("f/.wh..wh..opq"), {"f": "f 644 x"}),
    "whiteout-below-a-whiteout": (lambda: Tar().add(".wh.d").add("d/.wh.f"), {"d": "w"}),
    "whiteout-then-the-file": (lambda: Tar().add(".wh.f").add("f", data=b"x"), {"f": "f 644 x"}),
    "whiteout-then-the-directory": (lambda: Tar().add(".wh.d").directory("d"), {"d": "d 755 opaque"}),
    "whiteout-through-a-link": (lambda: Tar().symlink("l", "..").add("l/.wh.secret"), {"l": "l ..", "secret": "w"}),
    "opaque": (lambda: Tar().add("d/.wh.x").add("d/.wh..wh..opq").add("d/f"), {"d": "d 755 opaque", "d/f": "f 644 "}),
    "opaque-root": (lambda: Tar().add(".wh..wh..opq").add("f"), {"f": "f 644 "}),
    "aufs-metadata": (lambda: Tar().add(".wh..wh.plnk").add(".wh..wh.aufs").add(".wh..wh.").add("f"), {"f": "f 644 "}),
    # kinds
    "fifo": (lambda: Tar().add("p", tarfile.FIFOTYPE, mode=0o622), {"p": "p 622"}),
    "devices": (
        lambda: Tar().add("c", tarfile.CHRTYPE, devmajor=1, devminor=3).add("b", tarfile.BLKTYPE, devmajor=7, devminor=300),
        {"b": "b 644 7:300", "c": "c 644 1:3"},
    ),
    "contiguous": (lambda: member(b"f", b"data", b"7") + END, {"f": "f 644 data"}),
    "old-tar": (lambda: member(b"d/", b"", b"\0", raw={257: bytes(8)}) + END, {"d": "d 644"}),
    "directory-with-data": (
        lambda: header(b"d", b"5", 0, raw={124: b"00000001000\0"}) + F + END,
        {"d": "d 644", "f": "f 644 data"},
    ),
    # modes and names
    "setuid": (lambda: Tar().add("f", mode=0o6755).directory("d", mode=0o3777), {"d": "d 3777", "f": "f 6755 "}),
    "mode-of-everything": (lambda: header(b"f", raw={100: b"7777777\0"}) + END, {"f": "f 7777 "}),
    "mode-of-nothing": (lambda: Tar().add("f", data=b"x", mode=0), {"f": "f 0 x"}),
    "not-utf-8": (lambda: member(b"\xff\xfe", b"x") + END, {"\udcff\udcfe": "f 644 x"}),
    "name-of-255-bytes": (lambda: Tar().add("n" * 255, data=b"x"), {"n" * 255: "f 644 x"}),
    "newline": (lambda: pax(record(b"path", b"a\nb")) + F + END, {"a\nb": "f 644 data"}),
    "long-names-in-a-row": (
        lambda: member(b"././@LongLink", b"one\0", b"L") + member(b"././@LongLink", b"two\0", b"L") + F + END,
        {"two": "f 644 data"},
    ),
    "pax-over-long-name": (
        lambda: member(b"././@LongLink", b"one\0", b"L") + pax(record(b"path", b"two")) + F + END,
        {"two": "f 644 data"},
    ),
    "pax-keys-twice": (lambda: pax(record(b"path", b"one") + record(b"path", b"two")) + F + END, {"two": "f 644 data"}),
    "pax-key-taken-back": (lambda: pax(record(b"path", b"one") + record(b"path", b"")) + F + END, {"f": "f 644 data"}),
    "pax-size": (
        lambda: pax(record(b"size", b"4")) + header(b"f", raw={124: bytes(12)}) + padded(b"data") + END,
        {"f": "f 644 data"},
    ),
    "global-header": (lambda: member(b"g", record(b"path", b"elsewhere"), b"g") + F + END, {"f": "f 644 data"}),
    "size-in-base-256": (lambda: header(b"f", raw={124: base_256(4, 12)}) + padded(b"data") + END, {"f": "f 644 data"}),
    # sparse
    **{
        f"sparse-{version}": (
            lambda version=version: pax_sparse(version, [(1, 2), (5, 2)], b"abcd", 8) + F + END,  # type: ignore[misc]
            {"f": "f 644 data", "s": "f 644 \0ab\0\0cd\0"},
        )
        for version in ("0.0", "0.1", "1.0")
    },
    "sparse-gnu": (lambda: gnu_sparse([(1, 2), (5, 2)], b"abcd", 8) + F + END, {"f": "f 644 data", "s": "f 644 \0ab\0\0cd\0"}),
    "sparse-all-hole": (lambda: gnu_sparse([(8, 0)], b"", 8) + END, {"s": "f 644 " + "\0" * 8}),
    # how archives end, and what they are wrapped in
    "nothing": (lambda: b"", {}),
    "no-end": (lambda: F[: 512 + 4], {"f": "f 644 data"}),
    "garbage-after-the-end": (lambda: F + END + b"garbage" * 100, {"f": "f 644 data"}),
    "gzip-in-members": (lambda: gzip.compress(F[:100]) + gzip.compress(F[100:]) + gzip.compress(END), {"f": "f 644 data"}),
    "gzip-padded": (lambda: gzip.compress(F + END) + bytes(512), {"f": "f 644 data"}),
    "gzip-of-nothing": (lambda: gzip.compress(b""), {}),
    "zstd-in-frames": (lambda: zstd.compress(F[:100]) + zstd.compress(F[100:] + END), {"f": "f 644 data"}),
    "zstd-with-skippable-frames": (
        lambda: b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd.compress(F + END) + b"\x5f\x2a\x4d\x18\x02\0\0\0ok",
        {"f": "f 644 data"},
    ),
    # attributes of the overlay's and the host's, which no image may set
    "foreign-attributes": (
        lambda: Tar().directory(
            "d",
            pax={
                f"SCHILY.xattr.{name}": "y"
                for name in (
                    *("trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy", "user.overlay.opaque"),
                    *("security.selinux", "security.ima", "system.posix_acl_access", "trusted.moby.unwritten"),
                )
            },
        ),
        {"d": "d 755"},
    ),
    "attributes": (
        lambda: (
            pax(
                record(b"SCHILY.xattr.user.a", b"1")
                + record(b"SCHILY.xattr.security.capability", CAPABILITY)
                + record(b"LIBARCHIVE.xattr.user.b%20c", base64.b64encode(b"2"))
            )
            + F
            + END
        ),
        {"f": f"f 644 data security.capability={CAPABILITY.hex()} user.a=31 user.b c=32"},
    ),
}


def seen(root: Path) -> Tree:
    """A layer's tree: kind, mode, and what it holds."""
    found = {}
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = " ".join([_kind(path), *_attributes(path)])
    return found


def _kind(path: Path) -> str:
    status = path.lstat()
    mode = f"{stat.S_IMODE(status.st_mode):o}"
    if is_whiteout(status):
        return "w"
    if stat.S_ISLNK(status.st_mode):
        return f"l {path.readlink()}"
    if stat.S_ISREG(status.st_mode):
        return f"f {mode} {path.read_bytes().decode()}"
    if stat.S_ISDIR(status.st_mode):
        return f"d {mode}"
    if stat.S_ISFIFO(status.st_mode):
        return f"p {mode}"
    letter = "c" if stat.S_ISCHR(status.st_mode) else "b"
    return f"{letter} {mode} {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _attributes(path: Path) -> list[str]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    values = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return ["opaque" if name == "trusted.overlay.opaque" else f"{name}={value.hex()}" for name, value in values.items()]
