"""Which capabilities a container gets (capabilities(7)): Docker's fourteen, changed by ``--cap-add``, ``--cap-drop``, ``--privileged``."""

from __future__ import annotations

import functools

from msgspec import Struct

from moby_tui.engine.kernel.capability import NUMBERS
from moby_tui.errors import InvalidArgument

#: What Docker gives a container that asks for nothing.
DEFAULT = frozenset(
    {
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    }
)


class Capabilities(Struct, frozen=True):
    """``granted`` in the kernel's order; ``missing``: asked for, but the engine itself does not hold it."""

    granted: list[str]
    missing: list[str]


@functools.cache
def held() -> frozenset[str]:
    """The bounding set of this process, which no engine changes: it can grant no capability beyond it."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        bits = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return frozenset(name for name, number in NUMBERS.items() if bits >> number & 1)


def resolve(
    add: list[str] | None, drop: list[str] | None, *, privileged: bool, available: frozenset[str] | None = None
) -> Capabilities:
    """What is granted. ``ALL`` stands for every capability; names are taken in any case, with or without ``CAP_``.

    As Docker: with ``--cap-add ALL`` what is dropped by name is left out of all, with ``--cap-drop ALL`` only what is added by
    name remains, and what is both added and dropped is added. ``available`` is what this engine holds (default: ``held()``).
    Raises ``InvalidArgument`` for a name that is no capability.
    """
    available = held() if available is None else available
    added, dropped = _names(add, "CapAdd"), _names(drop, "CapDrop")
    if privileged:
        wanted, named = frozenset(NUMBERS), frozenset(NUMBERS)
    elif "ALL" in added:
        wanted, named = frozenset(NUMBERS) - (dropped - {"ALL"}), frozenset(NUMBERS)
    elif "ALL" in dropped:
        wanted, named = added, added
    else:
        wanted, named = (DEFAULT - dropped) | added, added
    return Capabilities(_ordered(wanted & available), _ordered((wanted & named) - available))


def _names(given: list[str] | None, field: str) -> frozenset[str]:
    return frozenset(_name(text, field) for text in given or [])


def _name(text: str, field: str) -> str:
    name = text.upper()
    if name == "ALL":
        return name
    name = name if name.startswith("CAP_") else f"CAP_{name}"
    if name not in NUMBERS:
        raise InvalidArgument(f'invalid {field}: unknown capability: "{name}"')
    return name


def _ordered(names: frozenset[str]) -> list[str]:
    return sorted(names, key=NUMBERS.__getitem__)
