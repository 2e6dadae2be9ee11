"""How archives come compressed, by the tools that people use."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
from collections.abc import Callable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _halves(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Two streams one after another, as pigz, pbzip2, pixz and pzstd write them."""
    return lambda data: compress(data[: len(data) // 2]) + compress(data[len(data) // 2 :])


def _tool(*command: str) -> Callable[[bytes], bytes]:
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip of two members": _halves(gzip.compress),
    "gzip with padding": lambda data: gzip.compress(data) + bytes(512),
    "bzip2": bz2.compress,
    "bzip2 of two streams": _halves(bz2.compress),
    "xz": lzma.compress,
    "xz of two streams": _halves(lzma.compress),
    "xz with padding between": lambda data: lzma.compress(data[:9]) + bytes(8) + lzma.compress(data[9:]) + bytes(4),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "xz without a check": lambda data: lzma.compress(data, check=lzma.CHECK_NONE),
    "xz in blocks": _tool("xz", "-c", "--block-size=4096"),
    "zstd": zstd.compress,
    "zstd of two frames": _halves(zstd.compress),
    "zstd with padding": lambda data: zstd.compress(data) + bytes(512),
    "zstd behind a skippable frame": lambda data: b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd.compress(data),
}
