"""The keys that detach a client: how they are written, and where they are in input that comes in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.detach_keys import DetachKeys, parse


def test_how_they_are_written() -> None:
    assert parse("ctrl-p,ctrl-q") == b"\x10\x11"
    assert parse("a,ctrl-[,ctrl-@,ctrl-Z") == b"a\x1b\x00\x1a"
    for wrong in ("", "ctrl-", "ctrl-1", "ab", "ctrl-p,", "ctrl-\u0131", "\xe4"):
        with pytest.raises(ValueError, match="Invalid detach keys"):
            parse(wrong)


def test_they_are_not_passed_on() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert (keys.read(b"abc\x10\x11def"), keys.typed) == (b"abc", True)


def test_half_of_them_are_passed_on_late() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert (keys.read(b"a\x10"), keys.typed) == (b"a", False)
    assert (keys.read(b"b\x10"), keys.typed) == (b"\x10b", False)
    assert (keys.read(b"\x11"), keys.typed) == (b"", True)


@given(st.lists(st.binary(max_size=6), max_size=8), st.sampled_from([b"aab", b"\x10\x11", b"a", b"abab"]))
def test_no_input_is_lost(pieces: list[bytes], sought: bytes) -> None:
    """Whatever the pieces, what is passed on is the input up to the keys, but for a beginning of them at the very end."""
    whole, passed, keys = b"".join(pieces), b"", DetachKeys(sought)
    for piece in pieces:
        passed += keys.read(piece)
        if keys.typed:
            break
    if keys.typed:
        assert passed == whole[: whole.index(sought)]
    else:
        assert sought not in whole and whole.startswith(passed)
        assert sought.startswith(whole[len(passed) :])


@given(st.text("ab", max_size=12), st.sampled_from(["aab", "abab"]))
def test_they_are_found_behind_a_beginning_of_them(text: str, sought: str) -> None:
    keys = DetachKeys(sought.encode())
    keys.read(text.encode())
    assert keys.typed == (sought in text)
