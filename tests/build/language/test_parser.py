"""The Dockerfile's grammar in its corners: https://docs.docker.com/reference/dockerfile/"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.building import build, run
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.dockerfile import arguments
from moby_tui.engine.resources.dockerfile.globs import Glob
from moby_tui.engine.resources.dockerfile.parser import INSTRUCTIONS, Document, parse, parse_trigger
from moby_tui.engine.resources.dockerfile.shell_words import expand, expand_text, raw_words, word_end
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet


def values(text: str) -> list[tuple[int, str, str]]:
    return [(found.line, found.name, found.value) for found in parse(text.encode()).instructions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n# only\n", []),
        ("\ufeffFROM a", [(1, "FROM", "a")]),
        ("FROM a\r\nRUN b \\\r\n  c\r\n", [(1, "FROM", "a"), (2, "RUN", "b   c")]),
        ("  \tFrOm   a  AS\tb  ", [(1, "FROM", "a  AS\tb")]),
        ("RUN a \\\nb", [(1, "RUN", "a b")]),
        ("RUN a \\  \t\nb", [(1, "RUN", "a b")]),
        ("RUN a\\\n\\\n b", [(1, "RUN", "a b")]),
        ("RUN a \\\n# one\n  # two\n\n\n b\nRUN c", [(1, "RUN", "a  b"), (7, "RUN", "c")]),
        ("RUN a # b\\\nc", [(1, "RUN", "a # bc")]),
        ("RUN a \\\\\nRUN b", [(1, "RUN", "a \\\\"), (2, "RUN", "b")]),
        ("RUN a \\\n", [(1, "RUN", "a")]),
        ("RUN a \\", [(1, "RUN", "a")]),
        ("RUN a \\ b", [(1, "RUN", "a \\ b")]),
        ("#escape=`\nRUN a `\nb \\\n", [(2, "RUN", "a b \\")]),
        ("# Escape = `\nRUN a `\nb", [(2, "RUN", "a b")]),
        ("\n# escape=`\nRUN a \\\nb", [(3, "RUN", "a b")]),
        ("# unknown=x\n# escape=`\nRUN a \\\nb", [(3, "RUN", "a b")]),
        ("FROM a\n# escape=`\nRUN a \\\nb", [(1, "FROM", "a"), (3, "RUN", "a b")]),
        ("# syntax=docker.io/docker/dockerfile:1.7-labs\nFROM a", [(2, "FROM", "a")]),
        ("# syntax=docker/dockerfile-upstream:master\n# check=skip=all\nFROM a", [(3, "FROM", "a")]),
        ('CMD [ "a", "b" ]', [(1, "CMD", '[ "a", "b" ]')]),
        ("CMD", [(1, "CMD", "")]),
        ("RUN -- --x", [(1, "RUN", "--x")]),
        ('RUN --mount=type=cache,target="/a b" c', [(1, "RUN", "c")]),
        ("ENV a=b\\\n# no\n c=d", [(1, "ENV", "a=b c=d")]),
    ],
)
def test_lines(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# escape=\\\n# escape=\\\nFROM a", r"only one escape parser directive .*line 2"),
        ("# syntax=docker/dockerfile:1\n# SYNTAX=docker/dockerfile:1\n", r"only one syntax parser directive .*line 2"),
        ("# escape=x", r"invalid escape token .*line 1"),
        ("FROM a\n" + "RUN b\n" * 5000, "line 5001: more than 5000 instructions"),
        ("# syntax=ghcr.io/x/y\nFROM a", "syntax ghcr.io/x/y .* is not implemented yet"),
        ("FROM a\nLABLE a=b", r"line 2: unknown instruction: LABLE \(did you mean LABEL\?\)"),
        ("FROM a\n\n\nXYZZY", "line 4: unknown instruction: XYZZY$"),
        ("RUN --mout=type=cache x", r"unknown flag: --mout \(did you mean mount\?\)"),
        ("CMD --help", "unknown flag: --help"),
        ("RUN --network=none --network=host x", "duplicate flag specified: --network"),
        ("COPY --chown a b", "missing a value on flag: --chown"),
        ("COPY --link=yes a b", "expecting boolean value for flag --link"),
        ("HEALTHCHECK --intervall=1s CMD x", r"did you mean interval\?"),
        ("RUN <<A <<B\na\nA\nb", "line 1: unterminated heredoc: no line B"),
        ("ONBUILD RUN <<A\na", "line 1: unterminated heredoc: no line A"),
        ("RUN <<'A\nx\nA", "line 1: unexpected end"),
    ],
)
def test_lines_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises((InvalidArgument, NotImplementedYet), match=said):
        parse(text.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN <<E\na\n b\nE\n", [("<<E", "E", "a\n b\n", True)]),
        ("RUN <<-E\n\ta\n\t\tb\n c\n\tE\n", [("<<-E", "E", "a\nb\n c\n", True)]),
        ('RUN <<"E"\n$a\nE\n', [('<<"E"', "E", "$a\n", False)]),
        ("RUN <<'E' 3<<F cat\na\nE\nb\nF\n", [("<<'E'", "E", "a\n", False), ("3<<F", "F", "b\n", True)]),
        ("RUN a <<E && b \\\n  <<F\nx\nE\nF\n", [("<<E", "E", "x\n", True), ("<<F", "F", "", True)]),
        (
            "COPY <<a.txt <<b-c.txt /d/\n1\na.txt\n2\nb-c.txt\n",
            [("<<a.txt", "a.txt", "1\n", True), ("<<b-c.txt", "b-c.txt", "2\n", True)],
        ),
        ("RUN <<E\nE x\n E\n# no comment\n\\\nE\n", [("<<E", "E", "E x\n E\n# no comment\n\\\n", True)]),
        ("run\t<<E\nx\r\nE\r\n", [("<<E", "E", "x\n", True)]),
        ("RUN cat <<<'x'", []),
        ("RUN echo $((1<<2)) 1<<2", []),
        ('RUN ["sh", "<<E"]', []),
        ("ENV A=<<E", []),
    ],
)
def test_here_documents(text: str, expected: list[tuple[str, str, str, bool]]) -> None:
    found = parse(text.encode()).instructions[0].documents
    assert [(each.marker, each.name, each.text, each.expands) for each in found] == expected
    assert all(isinstance(each, Document) for each in found)


def test_what_follows_a_here_document_is_read_on() -> None:
    assert values("FROM a\nRUN <<E\nFROM b\nE\nCMD x\n") == [(1, "FROM", "a"), (2, "RUN", "<<E"), (5, "CMD", "x")]


def test_triggers() -> None:
    trigger = parse(b"ONBUILD RUN <<E && b\nx\nE\nFROM a\n").instructions[0]
    assert trigger.value == "RUN <<E && b\nx\nE"
    read = parse_trigger(7, trigger.value)
    assert (read.line, read.name, read.value, read.documents[0].text) == (7, "RUN", "<<E && b", "x\n")
    for text, said in (
        ("ONBUILD RUN x", "Chaining ONBUILD"),
        ("FROM a", "FROM isn't allowed as an ONBUILD trigger"),
        ("maintainer a", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("RUN a\nRUN b", "one instruction"),
        ("", "one instruction"),
        ("CPOY a b", r"did you mean COPY\?"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            parse_trigger(1, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("[]", []),
        ('["a\\u0041\\n"]', ["aA\n"]),
        ("['a']", None),
        ('["a"', None),
        ('["a"] b', None),
        ("[ -e x ] && y", None),
        ("[NaN]", None),
        ('["\\ud800"]', ["\ufffd"]),
        ("a", None),
    ],
)
def test_lists(text: str, expected: list[str] | None) -> None:
    assert arguments.listed(text) == expected


@pytest.mark.parametrize("text", ["[1]", '["a", null]', '[["a"]]', '["a", {}]', '["\\u0000"]'])
def test_lists_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"strings only|NUL"):
        arguments.listed(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", ["80/tcp"]),
        ("80/TCP 53/udp 9/sctp", ["80/tcp", "53/udp", "9/sctp"]),
        ("7000-7002/udp", ["7000/udp", "7001/udp", "7002/udp"]),
        (
            "8080:80 127.0.0.1:81:82 [::1]:83:84 127.0.0.1::85 8000-8001:90-91",
            ["80/tcp", "82/tcp", "84/tcp", "85/tcp", "90/tcp", "91/tcp"],
        ),
    ],
)
def test_ports_of_expose(text: str, expected: list[str]) -> None:
    assert arguments.ports(text.split()) == expected


@pytest.mark.parametrize(
    "port", ["0", "65536", "80/icmp", "80-79", "x", "", "80:x", "x:80", "1.2.3.4.5:80:80", ":", "80/", "1::2"]
)
def test_ports_that_cannot_be(port: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid containerPort"):
        arguments.ports([port])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a=b", [("a", "b")]),
        ("a=b c='d e' \"f g\"=h", [("a", "b"), ("c", "'d e'"), ('"f g"', "h")]),
        ("a b c", [("a", "b c")]),
        ("a  b=c", [("a", "b=c")]),
        ("a= b=", [("a", ""), ("b", "")]),
        ("a=b\\ c d=", [("a", "b\\ c"), ("d", "")]),
    ],
)
def test_pairs(value: str, expected: list[tuple[str, str]]) -> None:
    assert arguments.pairs("ENV", value, "\\") == expected


@pytest.mark.parametrize(("value", "said"), [("a", "two arguments"), ("a=b c", "can't find ="), ("=b", "can not be blank")])
def test_pairs_that_cannot_be(value: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        arguments.pairs("ENV", value, "\\")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse(data)
    except MobyError:
        return


@given(
    st.lists(
        st.sampled_from([*INSTRUCTIONS, "#", "# escape=`", "", "E", "\tE", "x \\", "<<E", "<<-'E'", '["a"]', "--mount=a", "\\"]),
        max_size=12,
    ),
    st.sampled_from([" ", "\n", " \\\n"]),
)
def test_any_words_are_read_or_refused(words: list[str], between: str) -> None:
    try:
        parse(between.join(words).encode())
    except MobyError:
        return


_WORD = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cs"], exclude_characters="\\#<-["),
    min_size=1,
    max_size=8,
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["RUN", "CMD", "LABEL", "COPY", "env", "Volume"]), st.lists(_WORD, min_size=1, max_size=4)),
        max_size=5,
    ),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n # c\n"]),
)
def test_what_is_written_is_read(lines: list[tuple[str, list[str]]], end: str) -> None:
    text = end.join(f"{name} {' '.join(words)}" for name, words in lines)
    assert [(name, value) for _, name, value in values(text)] == [(name.upper(), " ".join(words)) for name, words in lines]


@given(st.lists(st.text(max_size=10), max_size=5))
def test_a_list_is_read_as_it_is_written(items: list[str]) -> None:
    if not any("\0" in item for item in items):
        assert arguments.listed(json.dumps(items)) == items


@given(st.text(alphabet="a b'\"\\$#%/*?:-+{}[]", max_size=40))
def test_words_lose_nothing(text: str) -> None:
    assert "".join(raw_words(text)).replace(" ", "") == text.replace(" ", "")
    assert text[: word_end(text, 0)].startswith(text[:1].strip())


@given(
    st.text(alphabet="ab*?\\$[]", max_size=12),
    st.text(alphabet="ab*", max_size=20),
    st.sampled_from(["#", "##", "%", "%%", "/", "//"]),
)
def test_patterns_cut_what_they_match(pattern: str, value: str, operator: str) -> None:
    quoted = "".join(f"\\{char}" for char in value[:5])
    assert expand(f"${{v#{quoted}}}", {"v": value}) == value[5:]
    assert expand(f"${{v%{''.join(chr(92) + char for char in value[-5:])}}}", {"v": value}) == value[:-5]
    try:
        found = expand(f"${{v{operator}{pattern}}}", {"v": value})
    except MobyError:
        return
    assert len(found) <= len(value)


def test_patterns_take_no_time_that_grows() -> None:
    assert expand("${v##" + "*a" * 30 + "*b}", {"v": "a" * 3000}) == "a" * 3000
    assert expand("${v//" + "*a" * 30 + "b/}", {"v": "a" * 500}) == "a" * 500


@given(st.lists(st.tuples(st.sampled_from("ab*?"), st.booleans()), max_size=6), st.text(alphabet="ab*", max_size=10))
def test_patterns_match_what_expressions_do(pieces: list[tuple[str, bool]], text: str) -> None:
    wild = {"*": ".*", "?": "."}
    expression = re.compile("".join(re.escape(char) if fixed else wild.get(char, char) for char, fixed in pieces))
    ends = [end for end in range(len(text) + 1) if expression.fullmatch(text[:end])]
    assert list(Glob(pieces).ends(text)) == ends
    assert [len(text) - start for start in Glob(pieces).beginnings(text)] == [
        length for length in range(len(text) + 1) if expression.fullmatch(text[len(text) - length :])
    ]
    assert Glob(pieces).replaced(text, "-", all=False) == expression.sub("-", text, count=1)


def test_depth_is_bounded() -> None:
    for text in ("${a#" * 3000, "${a:-" * 3000, '"${a/' * 3000, "$" + "{" * 5000):
        with pytest.raises(InvalidArgument):
            expand(text, {"a": "b"})
    assert expand_text("${a:-${b:-${c:-x}}}", {}, "\\") == "x"


async def test_the_later_of_an_argument_and_a_variable_counts(engine: Engine, busybox: str) -> None:
    """So it is with BuildKit: in commands and in words. A stage on top has the variable, and a name without a value changes nothing."""
    text = f"""
    FROM {busybox} AS one
    ENV NAME=variable PLAIN=variable AGAIN=variable GIVEN=variable
    ARG NAME=argument
    ARG PLAIN
    ARG AGAIN=argument
    ARG GIVEN
    ENV AGAIN=last COPY=$NAME
    LABEL name=$NAME
    RUN echo "$NAME|$PLAIN|$AGAIN|$GIVEN" > /one
    FROM one
    RUN echo "$NAME|$PLAIN|$AGAIN|$GIVEN|$COPY" > /two
    """
    await build(engine, text, build_args={"GIVEN": "given"}, tags=["t"])
    _, out = await run(engine, "t", ["cat", "/one", "/two"])
    assert out.split() == ["argument|variable|last|given", "variable|variable|last|variable|argument"]
    image = await engine.images.inspect("t")
    assert image.config.labels == {"name": "argument"}
    assert {"NAME=variable", "COPY=argument"} < set(image.config.env or ())


async def test_arguments_and_their_scopes(engine: Engine, busybox: str) -> None:
    text = f"""
    ARG BASE={busybox} OTHER=outer
    ARG FROM=$BASE
    FROM $FROM AS one
    ARG OTHER HERE=here THERE=${{OTHER}}-x UNSET
    ENV HERE=environment
    RUN echo "$BASE|$OTHER|$HERE|$THERE|${{UNSET-unset}}" > /one
    FROM one AS two
    RUN echo "$OTHER|$THERE|${{UNSET-unset}}" > /two
    FROM ${{BASE}} AS three
    ARG TARGETOS TARGETPLATFORM BUILDARCH TARGETSTAGE GIVEN=default
    COPY --from=two /one /two /
    RUN echo "$OTHER|$TARGETOS|${{TARGETPLATFORM%%/*}}|${{BUILDARCH:+some}}|$TARGETSTAGE|$GIVEN|$HTTP_PROXY" > /three
    """
    given = {"GIVEN": "given", "HTTP_PROXY": "http://user:secret@proxy.example"}
    done = await build(engine, text, build_args=given, target="three", tags=["t"])
    _, out = await run(engine, "t", ["cat", "/one", "/two", "/three"])
    assert out.splitlines() == [
        "|outer|environment|outer-x|unset",
        "outer|outer-x|unset",
        "|linux|linux|some|three|given|http://user:secret@proxy.example",
    ]
    again = await build(engine, text, build_args={**given, "HTTP_PROXY": "http://other"}, target="three")
    assert again.id == done.id, "a proxy changes nothing"
    assert all("secret" not in entry.created_by for entry in await engine.images.history("t"))
    assert not any("secret" in entry for entry in (await engine.images.inspect("t")).config.env or ())


async def test_triggers_with_here_documents(engine: Engine, busybox: str) -> None:
    await build(
        engine, f"FROM {busybox}\nONBUILD RUN <<E\necho one > /f\necho two >> /f\nE\nONBUILD COPY <<F /g\n$A\nF\n", tags=["base"]
    )
    await build(engine, "FROM base\n", tags=["t"])
    assert (await run(engine, "t", ["cat", "/f", "/g"]))[1] == "one\ntwo\n\n"
