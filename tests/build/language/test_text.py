"""A Dockerfile's text: lines, directives, flags, words and variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.resources.dockerfile.parser import parse
from moby_tui.engine.resources.dockerfile.shell_words import expand, raw_words, split
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.patterns import Ignore

VARIABLES = {"SET": "value", "EMPTY": "", "TWO": "a b"}


def values(text: str) -> list[tuple[int, str, str]]:
    return [(found.line, found.name, found.value) for found in parse(text.encode()).instructions]


def test_lines() -> None:
    text = "# comment\n\nfrom a\nRUN one \\\n  # between\n\n  two\\  \n three\n  run x # no comment\r\nENV a=\\\\\nRUN last \\"
    assert values(text) == [
        (3, "FROM", "a"),
        (4, "RUN", "one   two three"),
        (9, "RUN", "x # no comment"),
        (10, "ENV", "a=\\\\"),
        (11, "RUN", "last"),
    ]


def test_directives() -> None:
    assert values("# syntax=docker/dockerfile:1\n# escape=`\nRUN a `\nb\\\n") == [(3, "RUN", "a b\\")]
    assert values("# a comment ends them\n# escape=`\nRUN a \\\nb\n") == [(3, "RUN", "a b")]
    with pytest.raises(InvalidArgument, match=r"invalid escape token .*line 1"):
        parse(b"# escape=x\n")
    with pytest.raises(NotImplementedYet, match="syntax example/frontend"):
        parse(b"# syntax=example/frontend\nFROM a\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a\nRNU x", r"dockerfile parse error on line 2: unknown instruction: RNU \(did you mean RUN\?\)"),
        ("FROM a\nCOPY --form=x a b", r"line 2: unknown flag: --form \(did you mean from\?\)"),
        ("COPY --from a b", "missing a value on flag: --from"),
        ("FROM", "line 1: FROM requires at least one argument"),
        ("FROM a\0", "line 1: a NUL character"),
        ("FROM a\nRUN \udcff", "line 2: not UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$SET ${SET}x $NONE.", "value valuex ."),
        ("${SET:-d} ${EMPTY:-d} ${EMPTY-d} ${NONE-d} ${NONE:-${SET}}", "value d  d value"),
        ("${SET:+y} ${EMPTY:+y} ${EMPTY+y} ${NONE+y}", "y  y "),
        (r"\$SET '$SET' " + r'"$SET \" \$SET \n"', r'$SET $SET value " $SET \n'),
        ("a$ $1 $", "a$  $"),
        ("$SETx ${NONE:-'}'}", " }"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


@pytest.mark.parametrize(
    "text", ["'open", '"open', "${open", "${SET:-x", "${", "${}", "${NONE?gone}", "${EMPTY:?gone}", "${SET^x}"]
)
def test_bad_words(text: str) -> None:
    with pytest.raises(MobyError):
        expand(text, VARIABLES)


def test_words() -> None:
    assert split("$TWO '$TWO' \"$TWO\" x\\ y ''", VARIABLES) == ["a", "b", "$TWO", "a b", "x y", ""]
    assert raw_words("a=\"b c\" d='e f' g\\ h") == ['a="b c"', "d='e f'", "g\\ h"]


@given(st.text(alphabet="ab $\\'\"{}:-+?\n\t#"))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (expand, split):
        try:
            read(text, {"a": "b c", "b": ""})
        except MobyError:
            continue
    raw_words(text)


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z"), st.text(max_size=8), max_size=3), st.text(max_size=20))
def test_quoting_keeps_anything(variables: dict[str, str], text: str) -> None:
    quoted = "".join("\\" + char for char in text)
    assert expand(quoted, variables) == text
    for name, value in variables.items():
        assert expand(f'"${{{name}}}"', variables) == value
        assert expand(f"${{{name}:-other}}", variables) == (value or "other")


@given(st.lists(st.text(alphabet="ab #=", min_size=1, max_size=6), min_size=1, max_size=6))
def test_a_line_may_be_broken_anywhere(pieces: list[str]) -> None:
    whole = "RUN x" + "".join(pieces)
    broken = "RUN x\\\n" + "\\\n# comment\n\n".join(
        piece for piece in pieces if piece.strip() and not piece.strip().startswith("#")
    )
    kept = "RUN x" + "".join(piece for piece in pieces if piece.strip() and not piece.strip().startswith("#"))
    assert parse(broken.encode()).instructions[0].value == kept[4:].strip()
    assert parse(whole.encode()).instructions[0].value == whole[4:].strip()


def test_ignore_patterns() -> None:
    ignore = Ignore("*.o\n/top\n**/deep\na/**/z\nb/**\n!b/kept\n[x-z]?\n")
    excluded = ["m.o", "top", "top/below", "deep", "p/q/deep/r", "a/z", "a/b/c/z", "b/x", "xa"]
    assert [path for path in excluded if not ignore.excludes(path)] == []
    assert [path for path in ("p/m.o", "p/top", "deeper", "b/kept", "wa", "x") if ignore.excludes(path)] == []
