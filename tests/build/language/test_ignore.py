"""The grammar of ``.dockerignore`` and of file patterns: https://docs.docker.com/build/concepts/context/#dockerignore-files"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.errors import InvalidArgument
from moby_tui.patterns import Ignore, component


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        ("", "", "a a/b"),
        ("# comment\n#b\na\n", "a", "b #b"),
        (" # no comment", "", "#"),
        ("\ufeffa\n", "a", "b"),
        ("a\r\nb\r\n", "a b", "a\r"),
        ("  a  \n\t b\t\n", "a b", "c"),
        ("/a\n./b\nc/\n//d\n", "a b c c/x d", "x/a x/b"),
        ("a/../b\n", "b", "a"),
        ("../a\n", "", "a"),
        (".\n", "", "a a/b"),
        ("*", "a a/b .x", ""),
        ("*/*", "a/b a/b/c", "a"),
        ("*/temp*", "x/temp x/temporary.txt", "temp x/y/temp"),
        ("*/*/temp*", "x/y/temp.txt", "x/temp"),
        ("temp?", "tempa temp1/x", "temp tempab"),
        ("*.md\n!README.md", "a.md", "README.md x/README.md x/a.md"),
        ("*.md\n!README*.md\nREADME-secret.md", "a.md README-secret.md", "README.md README-x.md"),
        ("*.md\nREADME-secret.md\n!README*.md", "a.md", "README.md README-secret.md"),
        ("a\n!a/b\n", "a a/c", "a/b a/b/c"),
        ("! a\n", "", "a"),
        ("*\n!  a\n", "b", "a"),
        ("**", "a a/b .c/d", ""),
        ("**/a", "a x/a x/y/a a/b", "xa x/ya"),
        ("a/**", "a/b a/b/c", "a b"),
        ("a/**/b", "a/b a/x/b a/x/y/b", "a/xb b ab"),
        ("**/*.go", "x.go a/x.go a/b/x.go", "x.goo"),
        ("**.go", "x.go a/x.go", "x.c"),
        ("a**", "a ab a/b abc/d", "ba"),
        ("a**b", "ab ax/b", "axb ba"),
        ("**/a**b*", "a/ab ab ax/b x/a/y/b", "a ax b"),
        ("**a**[b]**?d", "ab/xd ab/a/bd abxd/y", "a/xb/xd ab/d"),
        ("**/**/c", "c a/c a/b/c", "d"),
        ("***", "a a/b", ""),
        ("[a-c]x", "ax bx cx", "dx x"),
        ("[^a-c]x", "dx", "ax"),
        ("[ab", "", None),
        ("[a\\]]x", "ax ]x", "bx"),
        ("[\\-a]x", "-x ax", "bx"),
        ("[c-a]x", "", "ax bx cx"),
        ("a[/]b", "", "a/b"),
        ("\\#a\n\\!b\n\\*c", "#a !b *c", "a b xc"),
        ("a\\", "", None),
        ("!", "", None),
        ("[]a]", "", None),
        ("[-a]", "", None),
        ("a.b$^(c)+{d}|e", "a.b$^(c)+{d}|e", "aXb"),
        ("café", "café", "cafe"),
        (".git", ".git .git/config", "x/.git .gitignore"),
    ],
)
def test_what_is_left_out(text: str, left_out: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(InvalidArgument, match="pattern"):
            Ignore(text)
        return
    ignore = Ignore(text)
    assert [path for path in left_out.split(" ") if path and not ignore.excludes(path)] == []
    assert [path for path in kept.split(" ") if path and ignore.excludes(path)] == []


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "ab/c", False),
        ("a*b*c*d*e*", "axbxcxdxe", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("[\\]a]", "]", True),
        ("[x\\-]", "-", True),
        ("[\\-x]", "z", False),
    ],
)
def test_names(pattern: str, name: str, matches: bool) -> None:
    """The table of Go's own ``path.Match``."""
    assert (component(pattern).fullmatch(name) is not None) == matches


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "[x", "\\"])
def test_bad_names(pattern: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid pattern"):
        component(pattern)


@given(st.text(alphabet="ab*?[]^-!\\/. \n#", max_size=30), st.text(alphabet="ab/.", min_size=1, max_size=12))
def test_any_text_is_read_or_refused(text: str, path: str) -> None:
    try:
        ignore = Ignore(text)
    except InvalidArgument:
        return
    ignore.excludes(path)


@given(
    st.lists(
        st.text(alphabet="abc*?[]!#\\ .-", min_size=1, max_size=6).filter(lambda part: part.strip("./ ") == part), min_size=1
    )
)
def test_an_escaped_path_names_itself_and_what_is_below(parts: list[str]) -> None:
    path = "/".join(parts)
    ignore = Ignore("".join(f"\\{char}" if char in "*?[]!#\\-" else char for char in path))
    assert ignore.excludes(path) and ignore.excludes(f"{path}/below") and not ignore.excludes(f"{path}x")
    assert not Ignore(f"*\n!{''.join(chr(92) + char if char in '*?[]!#' + chr(92) else char for char in path)}").excludes(path)


def _names(pattern: str, path: str) -> bool:
    """By the book, one character after the other."""
    if not pattern:
        return not path
    if pattern.startswith("**"):
        rest = pattern[2:].removeprefix("/")
        if not rest:
            return True
        return _names(rest, path) or any(char == "/" and _names(rest, path[at + 1 :]) for at, char in enumerate(path))
    if pattern[0] == "*":
        ends = range(len(path.partition("/")[0]) + 1)
        return any(_names(pattern[1:], path[end:]) for end in ends)
    return bool(path) and (path[0] == pattern[0] or (pattern[0] == "?" and path[0] != "/")) and _names(pattern[1:], path[1:])


_PART = st.sampled_from(["**", "*", "a", "b", "a*", "*b", "a*b", "*a*b*", "?", "a?", "**a*", "a**b*", "*?*", "a**b**a"])


@given(
    st.lists(_PART, min_size=1, max_size=4),
    st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=1, max_size=5),
)
def test_patterns_mean_what_is_written(parts: list[str], names: list[str]) -> None:
    pattern, path = "/".join(parts), "/".join(names)
    above = ["/".join(names[:count]) for count in range(1, len(names) + 1)]
    assert Ignore(pattern).excludes(path) == any(_names(pattern, each) for each in above)


def test_no_pattern_takes_for_ever() -> None:
    assert not Ignore("*a" * 40 + "*b").excludes("a" * 255)
    assert not Ignore("a**" * 40 + "b").excludes("a/" * 1000 + "c")
    assert not Ignore("**/a/" * 30 + "b").excludes("a/" * 1000 + "c")
    assert component("*a" * 40 + "*b").fullmatch("a" * 255) is None
