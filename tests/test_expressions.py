"""The expressions that a person may write: they match what Python's do, in time that no expression and no line can stretch."""

from __future__ import annotations

import random
import re

import pytest

from moby_tui.expressions import compile_expression, compile_for_lines, finds

ATOMS = ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\s", r"\d", r"\b", "^", "$", r"\A", r"\Z", r"\.", " ", r"\x41", "é", "[]x]"]
REPEATS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}?", "*?", "{2,}"]


def made(random: random.Random, depth: int) -> str:
    kind = random.random()
    if depth == 0 or kind < 0.3:
        return random.choice(ATOMS)
    if kind < 0.6:
        return made(random, depth - 1) + made(random, depth - 1)
    if kind < 0.75:
        return f"({made(random, depth - 1)}|{made(random, depth - 1)})"
    return f"(?:{made(random, depth - 1)}){random.choice(REPEATS)}"


def test_it_matches_what_re_matches() -> None:
    chance = random.Random(20261129)
    for _ in range(400):
        source = made(chance, 4)
        ours = compile_for_lines(source)
        plain = re.sub(r"\\.", "", source)
        theirs = re.compile(source, re.ASCII if plain != plain.lower() else re.ASCII | re.IGNORECASE)
        for _ in range(8):
            line = "".join(chance.choice("abAxé .1{]") for _ in range(chance.randrange(1, 10)))
            assert (ours.search(line) is None) is (theirs.search(line) is None), (source, line)


def test_neither_expression_nor_line_stretch_its_time() -> None:
    for source in ("(a+)+b", "(a|aa)*b{3}c", "(.*)(.*)(.*)(.*)x", "(?:a?){300}b"):
        pattern = compile_for_lines(source)
        assert not pattern.search("a" * 100_000 + "!")
        assert list(pattern.finditer("a" * 100_000 + "!")) == []
    many = compile_for_lines("(a|b)*a(a|b){12}c")
    chance = random.Random(1)
    for _ in range(3):
        assert not many.search("".join(chance.choice("ab") for _ in range(4000)))


@pytest.mark.parametrize(
    "source",
    ["a(", "[", "(?=a)b", r"(a)\1", "a++", "((a{60}){60})", "(?:){999999999}", "((){9999}){9999}", "\udc80"],
)
def test_what_cannot_be_is_refused_in_a_line(source: str) -> None:
    with pytest.raises(ValueError, match="no regular expression") as refused:
        compile_expression(source)
    assert "\n" not in str(refused.value)


def test_a_filter_finds_as_docker_does() -> None:
    for source, text, is_in in (
        ("web", "my-web-1", True),
        ("^web", "my-web-1", False),
        ("web-[0-9]$", "my-web-1", True),
        ("WEB", "web", False),
        ("a.b", "a-b", True),
        ("(", "(", False),
        ("(a+)+b", "a" * 255, False),
        ("", "web", True),
    ):
        assert finds(source, text) is is_in, source
