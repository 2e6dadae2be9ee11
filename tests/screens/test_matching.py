"""The expressions that a person may write: they match what Python's do, in time that no expression and no line can stretch."""

from __future__ import annotations

import random
import re

import pytest

from moby_tui.screens.logs.expressions import Expression
from moby_tui.screens.logs.matching import MOST_STATES, Matcher
from moby_tui.screens.logs.terms import MOST_TRIES

ATOMS = [
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    r"\w",
    r"\s",
    r"\d",
    r"\b",
    r"\B",
    "^",
    "$",
    r"\A",
    r"\Z",
    r"\.",
    " ",
    "{",
    r"\x41",
    "é",
    "[]x]",
]
REPEATS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}?", "*?", "{2,}", "{,1}"]


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
        ours = Matcher(source)
        plain = re.sub(r"\\.", "", source)
        theirs = re.compile(source, re.IGNORECASE if plain == plain.lower() else re.NOFLAG)
        for _ in range(8):
            line = "".join(chance.choice("abAxé .1{]") for _ in range(chance.randrange(1, 10)))
            assert ours.search(line) is (theirs.search(line) is not None), (source, line)
            # both begin a piece as far to the left as it can be; ours are as long as can be
            mine, match = next(ours.spans(line), None), next((one for one in theirs.finditer(line) if one.group()), None)
            assert (mine is None) is (match is None) or "" in {one.group() for one in theirs.finditer(line)}, (source, line)
            if mine and match and match.start() == mine[0]:
                assert mine[1] >= match.end(), (source, line)


def test_what_is_in_every_match_and_how_much_re_tries() -> None:
    for source, literal, few in (
        ("n[aeiou]edle$", "edle", True),
        (r"took \d+ms", "took ", False),
        (r"a\.b(cde)+", "a.b", False),
        ("error|warn", "", True),
        ("(x|y)?abc?", "ab", True),
        ("(?:ab){40}", "ab", True),
        ("(a?){40}b", "b", False),
        ("GET.*Timeout", "Timeout", False),
    ):
        expression = Expression(source)
        assert (expression.literal, expression.tries <= MOST_TRIES) == (literal, few), source


def test_neither_expression_nor_line_stretch_its_time() -> None:
    for source in ("(a+)+$", "(a|aa)*b{3}c", "(.*)(.*)(.*)(.*)x", "(?:a?){300}b"):
        assert not Matcher(source).search("a" * 100_000 + "!")
        assert list(Matcher(source).spans("a" * 100_000 + "!")) == []
    many = Matcher("(a|b)*a(a|b){12}c")
    chance = random.Random(1)
    for _ in range(3):
        many.search("".join(chance.choice("ab") for _ in range(4000)))
    assert len(many._states) <= MOST_STATES
    assert not Matcher("x+$").search("".join(map(chr, range(0x4E00, 0x6000))))


@pytest.mark.parametrize(
    "source",
    [
        "a(",
        "[",
        "(?=a)b",
        r"(a)\1",
        "(?P<n>a)",
        "(?i)a",
        "a++",
        "((a{60}){60})",
        "(?:){999999999}",
        "((){9999}){9999}",
        "(" * 60 + ")" * 60,
    ],
)
def test_what_cannot_be_is_refused_in_a_line(source: str) -> None:
    with pytest.raises(ValueError) as refused:
        Matcher(source)
    assert "\n" not in str(refused.value)
