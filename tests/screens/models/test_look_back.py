"""Looking back in a terminal, the mouse's reports and the clipboard: models without widgets."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from moby_tui.screens.terminals.emulator import Emulator
from moby_tui.screens.terminals.keys import NO_BUTTON, Mouse, encode_mouse, wants_mouse
from moby_tui.screens.terminals.look_back import LookBack, Wish


def filled(*lines: str, columns: int = 20, height: int = 4) -> tuple[Emulator, LookBack]:
    emulator = Emulator(columns, height, lambda data: None)
    emulator.feed("\r\n".join(lines).encode())
    return emulator, LookBack(emulator, emulator.last, 0, height - 1)


def test_the_cursor_moves_over_all_lines_that_are_kept() -> None:
    emulator, looks = filled(*(f"line {number}" for number in range(10)))
    assert (emulator.first, emulator.last, looks.line) == (0, 9, 9)
    for key, place in (
        ("k", (8, 0)),
        ("pageup", (5, 0)),
        ("g", (0, 0)),
        ("up", (0, 0)),
        ("end", (0, 5)),
        ("G", (9, 0)),
        ("j", (9, 0)),
    ):
        assert looks.press(key) is Wish.NONE and (looks.line, looks.column) == place, key


def test_what_is_selected_is_copied_without_blanks_at_the_ends() -> None:
    _, looks = filled("first", "wide 漢字 x", "third  ", "fourth")
    looks.go(1, 5)
    assert looks.press("enter") is Wish.LEAVE
    looks.press("space")
    looks.go(2, 2)
    assert looks.span(1) == (5, 20) and looks.span(2) == (0, 3) and looks.span(0) is None
    assert looks.text() == "漢字 x\nthi" and looks.press("y") is Wish.COPY
    assert looks.press("escape") is Wish.NONE and not looks.selects
    assert looks.press("escape") is Wish.LEAVE
    looks.go(0, 3)
    looks.press("V")
    looks.press("down")
    assert looks.text() == "first\nwide 漢字 x"


def test_a_search_goes_up_and_round_and_counts() -> None:
    _, looks = filled("Needle one", "漢字 needle needle", "hay", "NEEDLE", "end")
    looks.go(4, 0)
    assert looks.search("needle", up=True) and (looks.line, looks.column) == (3, 0) and looks.count() == (4, 4)
    for place in ((1, 12), (1, 5), (0, 0), (3, 0)):
        looks.press("n")
        assert (looks.line, looks.column) == place
    looks.press("N")
    assert (looks.line, looks.column) == (0, 0)
    assert looks.search("Needle", up=False) and looks.count() == (1, 1)
    assert not looks.search("nowhere", up=True) and looks.count() == (0, 0)
    assert looks.hits(1) == []


def test_lines_keep_their_numbers_when_the_oldest_go() -> None:
    emulator, looks = filled(*(str(number) for number in range(5100)), height=50)
    assert (emulator.first, emulator.last) == (50, 5099)
    looks.go(60, 0)
    emulator.feed(b"\r\nmore")
    assert emulator.first == 51 and "".join(emulator.texts(60)).strip() == "60"
    looks.go(0, 0)
    assert looks.line == 51
    emulator.feed(b"\x1b[?1049hfull")
    assert emulator.first == emulator.last - 49


@pytest.mark.parametrize(
    ("modes", "mouse", "report"),
    [
        ((), Mouse(0, 1, 2), b""),
        ((1000, 1006), Mouse(0, 1, 2), b"\x1b[<0;2;3M"),
        ((1000, 1006), Mouse(0, 1, 2, pressed=False), b"\x1b[<0;2;3m"),
        ((1000, 1006), Mouse(0, 1, 2, moved=True), b""),
        ((1002, 1006), Mouse(0, 1, 2, moved=True, ctrl=True), b"\x1b[<48;2;3M"),
        ((1002, 1006), Mouse(NO_BUTTON, 1, 2, moved=True), b""),
        ((1003, 1006), Mouse(NO_BUTTON, 1, 2, moved=True), b"\x1b[<35;2;3M"),
        ((1000,), Mouse(2, 0, 0), b'\x1b[M"!!'),
        ((1000,), Mouse(2, 0, 0, pressed=False), b"\x1b[M#!!"),
        ((1000,), Mouse(0, 300, 0), b""),
        ((1000,), Mouse(64, 0, 0), b"\x1b[M`!!"),
    ],
)
def test_the_mouse_is_reported_as_the_program_asks(modes: Any, mouse: Any, report: Any) -> None:
    assert encode_mouse(mouse, modes) == report and wants_mouse(modes) is bool(modes)


def test_a_program_copies_only_where_it_may_and_never_reads() -> None:
    copied: list[str] = []
    replies: list[bytes] = []
    words = "é " + "x" * 9000
    sequence = b"\x1b]52;c;" + base64.b64encode(words.encode()) + b"\x07"
    emulator = Emulator(20, 4, replies.append)
    emulator.feed(sequence + b"a")
    emulator.copy = copied.append
    emulator.feed(sequence[:5000])
    emulator.feed(sequence[5000:] + b"\x1b]52;c;?\x07\x1b]52;;not base64!\x07\x1b]52;c;/w==\x1b\\b")
    assert copied == [words, "\ufffd"] and replies == []
    assert emulator.display[0].rstrip() == "ab"
