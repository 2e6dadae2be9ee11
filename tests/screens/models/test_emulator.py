"""The terminal in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcwidth

from moby_tui.screens.terminals.emulator import Emulator


def screen_of(*pieces: bytes, columns: int = 20, lines: int = 5) -> tuple[Emulator, list[bytes]]:
    replies: list[bytes] = []
    emulator = Emulator(columns, lines, replies.append)
    for piece in pieces:
        emulator.feed(piece)
    return emulator, replies


def shown(emulator: Emulator) -> str:
    return "\n".join(line.rstrip() for line in emulator.display).rstrip("\n")


def test_a_sequence_may_be_cut_anywhere() -> None:
    whole = b"a\x1b[1;31mb\x1b]0;title\x07c\xc3\xa9\x1b[0m\r\nd\x1b(0q\x1b(Bq"
    for cut in range(len(whole)):
        emulator, _ = screen_of(whole[:cut], whole[cut:])
        assert shown(emulator) == "abcé\nd─q"
        assert emulator.buffer[0][1].fg == "red"


def test_the_alternate_screen_gives_the_first_one_back() -> None:
    emulator, _ = screen_of(b"shell$ vi", b"\x1b[?1049h\x1b[Hfull screen")
    assert emulator.alternate and shown(emulator) == "full screen"
    emulator.feed(b"\x1b[?1049l")
    assert not emulator.alternate and shown(emulator) == "shell$ vi" and emulator.cursor.x == 9


def test_lines_that_scroll_away_are_kept_but_not_a_full_screen_programs() -> None:
    emulator, _ = screen_of(b"\r\n".join(b"line %d" % number for number in range(8)))
    assert ["".join(cell.data for cell in line.values()) for line in emulator.scrollback] == ["line 0", "line 1", "line 2"]
    emulator.feed(b"\x1b[?1049h" + b"\r\n" * 50 + b"\x1b[?1049l")
    assert len(emulator.scrollback) == 3


def test_a_smaller_screen_keeps_the_line_of_the_cursor() -> None:
    emulator, _ = screen_of(b"one\r\ntwo\r\nthree\r\nfour\r\nfive$ ")
    emulator.resize(lines=2, columns=20)
    assert shown(emulator) == "four\nfive$" and emulator.cursor.y == 1
    emulator.resize(lines=6, columns=10)
    emulator.feed(b"x")
    assert shown(emulator) == "four\nfive$ x"


def test_what_pyte_would_take_for_something_else() -> None:
    emulator, _ = screen_of(b"\x1b[>4;1mplain\x1b[!p\x1b[4:3m\x1b[38:2::255:0:16mred\x1b[?3hok\x1b[1 q")
    assert shown(emulator) == "plainredok" and emulator.columns == 20
    assert not emulator.buffer[0][0].underscore and emulator.buffer[0][5].fg == "ff0010"


def test_questions_are_answered() -> None:
    _, replies = screen_of(b"ab\x1b[6n\x1b[c")
    assert replies == [b"\x1b[1;3R", b"\x1b[?6c"]


def test_xterms_scrolling_and_repetition() -> None:
    emulator, _ = screen_of(b"1\r\n2\r\n3\x1b[S\x1b[3;5Hx\x1b[3b")
    assert shown(emulator) == "2\n3\n    xxxx"


def test_a_string_without_an_end_takes_no_memory() -> None:
    emulator, _ = screen_of(b"a\x1bP" + b"q" * 1000)
    for _ in range(200):
        emulator.feed(b"q" * 1000)
        assert len(emulator._held) <= 4096
    emulator.feed(b"\x1b\\b")
    assert shown(emulator) == "ab"


def test_marks_do_not_pile_up_on_a_character() -> None:
    emulator, _ = screen_of(("e" + "\u0301" * 5000 + "\u0323").encode())
    assert len(emulator.buffer[0][0].data) <= 9


pieces = st.one_of(
    st.binary(max_size=30),
    st.builds(
        lambda prefix, numbers, between, final: f"\x1b[{prefix}{';'.join(map(str, numbers))}{between}{final}".encode(),
        st.sampled_from(["", "?", ">", "="]),
        st.lists(st.integers(0, 100_000), max_size=5),
        st.sampled_from(["", "", "", "$", " "]),
        st.sampled_from([chr(code) for code in range(0x40, 0x7F)]),
    ),
    st.sampled_from(
        [b"\x1b7", b"\x1b8", b"\x1bM", b"\x1bD", b"\x1b#8", b"\x1bc", b"\x1b(0", b"\x1b[?1049h", b"\x1b[?1049l", "漢字é".encode()]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(pieces, st.tuples(st.integers(1, 12), st.integers(1, 30))), max_size=30))
def test_no_output_and_no_size_breaks_it(steps: list[Any]) -> None:
    emulator, _ = screen_of(columns=12, lines=4)
    for step in steps:
        if isinstance(step, tuple):
            emulator.resize(lines=step[0], columns=step[1])
        else:
            emulator.feed(step)
        assert 0 <= emulator.cursor.y < emulator.lines and 0 <= emulator.cursor.x <= emulator.columns
        assert [sum(max(wcwidth(character), 0) for character in line) for line in emulator.display] == [
            emulator.columns
        ] * emulator.lines
