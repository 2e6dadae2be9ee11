"""``--chmod``: a mode in octal, or changes of the mode that a file has, as chmod(1) writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moby_tui.errors import InvalidArgument

_OCTAL = re.compile(r"[0-7]{1,4}")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_SHIFT = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
#: The bits of ``s`` and ``t`` for user, group, others and all.
_SPECIAL = {"u": {"s": 0o4000}, "g": {"s": 0o2000}, "o": {"t": 0o1000}}


@dataclass(frozen=True)
class Mode:
    """``fixed`` is the whole mode; without it ``actions`` change what is there: whom, operator, what."""

    text: str
    fixed: int | None = None
    actions: tuple[tuple[str, str, str], ...] = ()

    def of(self, mode: int, *, directory: bool) -> int:
        """The new mode for an old one (lower twelve bits)."""
        if self.fixed is not None:
            return self.fixed
        for whom, operator, what in self.actions:
            before = mode
            for each in whom:
                bits = _bits(each, what, before, directory=directory)
                if operator == "=":
                    mode &= ~_owned(each, directory=directory)
                mode = mode & ~bits if operator == "-" else mode | bits
        return mode


def read(text: str) -> Mode:
    """``755``, ``u=rwX,go-w``. Raises ``InvalidArgument``."""
    if _OCTAL.fullmatch(text):
        return Mode(text, int(text, 8))
    actions: list[tuple[str, str, str]] = []
    for clause in text.split(","):
        clause_match = _CLAUSE.fullmatch(clause)
        if clause_match is None:
            raise InvalidArgument(
                f"invalid chmod parameter: '{text[:40]}'. it should be octal string and between 0 and 07777; "
                "or write changes of a mode, such as u+x,go-w"
            )
        whom = "".join(dict.fromkeys(clause_match[1].replace("a", "ugo"))) or "ugo"
        actions += [(whom, how, what) for how, what in _ACTION.findall(clause_match[2])]
    return Mode(text, None, tuple(actions))


def _bits(whom: str, what: str, mode: int, *, directory: bool) -> int:
    if what in _SHIFT:
        return (mode >> _SHIFT[what] & 7) << _SHIFT[whom]
    bits = 0
    for letter in what:
        if letter == "X":
            bits |= (1 if directory or mode & 0o111 else 0) << _SHIFT[whom]
        else:
            bits |= _BITS.get(letter, 0) << _SHIFT[whom] | _SPECIAL[whom].get(letter, 0)
    return bits


def _owned(whom: str, *, directory: bool) -> int:
    """The bits that ``=`` clears; a directory keeps its set-id bits, as with chmod(1)."""
    special = 0 if directory and whom != "o" else sum(_SPECIAL[whom].values())
    return 7 << _SHIFT[whom] | special
