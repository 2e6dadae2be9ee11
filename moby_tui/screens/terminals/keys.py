"""What a terminal sends for a key (xterm's control sequences, "PC-Style Function Keys"), from Textual's names of keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from textual import events

_MODIFIERS = {"shift": 1, "alt": 2, "ctrl": 4, "super": 8, "hyper": 8, "meta": 8}
#: Keys that end in a letter: ``CSI A``, with modifiers ``CSI 1 ; m A``.
_LETTERS = {
    "up": "A",
    "down": "B",
    "right": "C",
    "left": "D",
    "home": "H",
    "end": "F",
    "f1": "P",
    "f2": "Q",
    "f3": "R",
    "f4": "S",
}
#: Keys that end in a tilde: ``CSI 5 ~``, with modifiers ``CSI 5 ; m ~``.
_TILDES = {
    **{"insert": 2, "delete": 3, "pageup": 5, "pagedown": 6},
    **{"f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20, "f10": 21, "f11": 23, "f12": 24},
    **{"f13": 25, "f14": 26, "f15": 28, "f16": 29, "f17": 31, "f18": 32, "f19": 33, "f20": 34},
}
_PLAIN = {"enter": b"\r", "tab": b"\t", "escape": b"\x1b", "backspace": b"\x7f", "space": b" "}
#: Ctrl with a key that is no letter; the digits are xterm's (``ctrl+5`` is what many keyboards must press for ``ctrl+]``).
_CONTROLS = {
    **dict.fromkeys(("space", "at", "@", "2"), 0x00),
    **dict.fromkeys(("left_square_bracket", "3"), 0x1B),
    **dict.fromkeys(("backslash", "4"), 0x1C),
    **dict.fromkeys(("right_square_bracket", "5"), 0x1D),
    **dict.fromkeys(("circumflex_accent", "6"), 0x1E),
    **dict.fromkeys(("underscore", "minus", "slash", "7"), 0x1F),
    **dict.fromkeys(("question_mark", "8"), 0x7F),
}


def encode(event: events.Key, *, application_cursor: bool) -> bytes:
    """The bytes of a key; empty if no terminal would send any. ``application_cursor`` is DEC mode 1."""
    *modifiers, key = event.key.split("+") if event.key != "+" else ["+"]
    held = sum({_MODIFIERS.get(modifier, 0) for modifier in modifiers})
    if key in _LETTERS:
        return _letter(_LETTERS[key], held, application_cursor)
    if key in _TILDES:
        return f"\x1b[{_TILDES[key]};{held + 1}~".encode() if held else f"\x1b[{_TILDES[key]}~".encode()
    if key == "tab" and held & 1:
        return b"\x1b[Z"
    if held & 4:
        return _control(key, alt=bool(held & 2))
    plain = _PLAIN.get(key) or (event.character.encode() if event.character else b"")
    if not plain and len(key) == 1:
        plain = key.encode()
    return b"\x1b" + plain if held & 2 and plain else plain


def _letter(letter: str, held: int, application_cursor: bool) -> bytes:
    if held:
        return f"\x1b[1;{held + 1}{letter}".encode()
    if letter in "PQRS" or application_cursor:
        return f"\x1bO{letter}".encode()
    return f"\x1b[{letter}".encode()


def _control(key: str, *, alt: bool) -> bytes:
    if len(key) == 1 and key.isalpha() and key.isascii():
        code = ord(key.lower()) & 0x1F
    elif key in _CONTROLS:
        code = _CONTROLS[key]
    elif key in _PLAIN:
        return b"\x1b" + _PLAIN[key] if alt else _PLAIN[key]
    else:
        return b""
    return (b"\x1b" if alt else b"") + bytes([code])


def encode_paste(text: str, *, bracketed: bool) -> bytes:
    """Pasted text. In brackets (DEC mode 2004) it must not be able to close them itself."""
    data = text.replace("\r\n", "\r").replace("\n", "\r")
    if not bracketed:
        return data.encode()
    return b"\x1b[200~" + data.replace("\x1b", "").encode() + b"\x1b[201~"


#: Added to a mouse report's button: keys that are held, and that the mouse has moved (xterm's control sequences, "Mouse Tracking").
_SHIFT, _META, _CTRL, _MOVED = 4, 8, 16, 32
#: The modes in which a program learns of the mouse: its buttons; moves with a button held; all moves.
_BUTTONS, _DRAGS, _MOVES = 1000, 1002, 1003
_SGR = 1006
#: No button, or in the old form any that is let go.
NO_BUTTON = 3
#: The old form has one byte for a place, which begins at 33.
_OLD_LIMIT = 223


@dataclass(frozen=True, slots=True)
class Mouse:
    """What a mouse has done. ``button``: 0 left, 1 middle, 2 right, ``NO_BUTTON``, 64 and 65 the wheel; ``x`` and ``y`` are cells from 0."""

    button: int
    x: int
    y: int
    pressed: bool = True
    moved: bool = False
    shift: bool = False
    meta: bool = False
    ctrl: bool = False


def wants_mouse(modes: Collection[int]) -> bool:
    """True if the program that has set these DEC modes asks for the mouse."""
    return not {_BUTTONS, _DRAGS, _MOVES}.isdisjoint(modes)


def encode_mouse(mouse: Mouse, modes: Collection[int]) -> bytes:
    """The report of a mouse, as the modes have it; empty if they ask for none of this kind."""
    if mouse.moved and not (_MOVES in modes or (_DRAGS in modes and mouse.button != NO_BUTTON)):
        return b""
    if not wants_mouse(modes):
        return b""
    code = mouse.button + _SHIFT * mouse.shift + _META * mouse.meta + _CTRL * mouse.ctrl + _MOVED * mouse.moved
    if _SGR in modes:
        return f"\x1b[<{code};{mouse.x + 1};{mouse.y + 1}{'M' if mouse.pressed else 'm'}".encode()
    if max(mouse.x, mouse.y) >= _OLD_LIMIT:
        return b""
    if not mouse.pressed:
        code = code - mouse.button + NO_BUTTON
    return b"\x1b[M" + bytes((32 + code, 33 + mouse.x, 33 + mouse.y))
