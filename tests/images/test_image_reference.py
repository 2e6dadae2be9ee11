"""References, against what Docker's grammar says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.errors import InvalidArgument
from moby_tui.reference import is_digest, parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
        ("moby/hello", "docker.io/moby/hello:latest", "moby/hello:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1", "localhost:5000/a:1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("ghcr.io/A_b/c".lower(), "ghcr.io/a_b/c:latest", "ghcr.io/a_b/c:latest"),
        ("Host/a", "Host/a:latest", "Host/a:latest"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}", f"alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine:3@{DIGEST}", f"alpine:3@{DIGEST}"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
    ],
)
def test_forms(text: str, canonical: str, familiar: str) -> None:
    reference = parse(text).tagged()
    assert (reference.canonical, reference.familiar) == (canonical, familiar)


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", "Alpine", "a/B", "-a", "a--", "a..b", "a___b", "a//b", "/a", "a/", "a b", "a:b c", "a:" + "t" * 129, "a@sha256:12",
     "a@md5:" + "0" * 32, "../a", "a/../b", "http://a/b", "a\n", "a:latest\n", "é", "0" * 64, "a/" + "b" * 255, f"a@{DIGEST}\n"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"invalid re(ference format|pository name)"):
        parse(text)


@given(st.text(alphabet="abAB09._-/:@[] \n" + "é", max_size=40) | st.from_regex(r"[a-z0-9.:/_-]{1,40}(@sha256:[0-9a-f]{64})?"))
def test_whatever_is_written_is_read_the_same_again_or_refused(text: str) -> None:
    try:
        reference = parse(text)
    except InvalidArgument as error:
        assert "\n" not in error.message
        return
    assert parse(reference.canonical) == reference == parse(reference.familiar)
    assert parse(reference.key).key == reference.key
    assert ".." not in reference.path.split("/") and not reference.path.startswith("/")


@given(st.text(max_size=80))
def test_only_digests_are_digests(text: str) -> None:
    assert not is_digest(text) or (len(text) == 71 and text.isascii())
