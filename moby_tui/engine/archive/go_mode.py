"""Go's os.FileMode, as Docker's and BuildKit's messages have it: the nine permission bits of stat(2), and bits of its own for the rest."""

from __future__ import annotations

import stat
from functools import lru_cache

_KINDS = {
    stat.S_IFREG: 0,
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_BY_BITS = {bits: kind for kind, bits in _KINDS.items()}
#: All bits that say what kind of object it is; 1 << 19 is "irregular".
_KIND_BITS = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
_SPECIAL = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def of(mode: int) -> int:
    """The FileMode for a mode of stat(2)."""
    special = sum(bit for flag, bit in _SPECIAL.items() if mode & flag)
    return mode & 0o777 | special | _KINDS.get(stat.S_IFMT(mode), 0)


@lru_cache
def read(mode: int) -> int:
    """The mode of stat(2) for a FileMode. Raises ``ValueError`` for a kind of object that Linux does not have."""
    kind = _BY_BITS.get(mode & _KIND_BITS)
    if kind is None:
        raise ValueError(f"no kind of file has the mode {mode:#o}")
    return kind | mode & 0o777 | sum(flag for flag, bit in _SPECIAL.items() if mode & bit)
