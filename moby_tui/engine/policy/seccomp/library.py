"""libseccomp, through pyseccomp."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from moby_tui.errors import MobyError

#: Part of the cache's keys: raised whenever ``program`` compiles differently.
REVISION = 4

_NAME = "libseccomp.so.2"


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


@cache
def load() -> ModuleType:
    """pyseccomp, on the library that a one-file binary brings along, or on the system's.

    pyseccomp asks ``find_library`` where the library is, which runs ldconfig and a compiler (60 ms) and cannot see a bundled
    one; it is told the answer. Raises ``MobyError`` if there is none.
    """
    import ctypes.util

    path, find_library = _path(), ctypes.util.find_library
    ctypes.util.find_library = lambda name: path if name == "seccomp" else None
    try:
        import pyseccomp
    except OSError as error:
        raise _missing() from error
    finally:
        ctypes.util.find_library = find_library
    return pyseccomp  # type: ignore[no-any-return]


@cache
def version() -> str:
    """The library's version as ``2.5.4``: another version may make another program of the same profile.

    Raises ``MobyError`` if there is none.
    """
    try:
        ask = ctypes.CDLL(_path()).seccomp_version
    except OSError as error:
        raise _missing() from error
    ask.restype = ctypes.POINTER(_Version)
    structure = ask().contents
    return f"{structure.major}.{structure.minor}.{structure.micro}"


def _missing() -> MobyError:
    return MobyError(
        "seccomp filters need libseccomp: install the package libseccomp2 (or libseccomp), or use --security-opt seccomp=unconfined"
    )


def _path() -> str:
    bundled = Path(getattr(sys, "_MEIPASS", "/nonexistent"), _NAME)
    return str(bundled) if bundled.exists() else _NAME
