"""What the query of a repository's address says: https://docs.docker.com/build/concepts/context/#url-queries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.sources.repository import git as run_git
from build.sources.repository import repository, served
from moby_tui.engine.resources.builder import git
from moby_tui.errors import InvalidArgument, MobyError

_URL, _ID = "https://h/a.git", "0123456789" * 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?ref=v1", git.Remote(_URL, "v1")),
        ("?tag=v1", git.Remote(_URL, "refs/tags/v1")),
        ("?branch=a/b&subdir=x/y/", git.Remote(_URL, "refs/heads/a/b", "x/y")),
        ("?tag=v1#refs/tags/v1:sub", git.Remote(_URL, "refs/tags/v1", "sub")),
        (f"?commit={_ID}", git.Remote(_URL, _ID, commit=_ID)),
        (f"?ref=v1&checksum={_ID[:8]}", git.Remote(_URL, "v1", commit=_ID[:8])),
        (f"?commit={_ID[:8]}", git.Remote(_URL, commit=_ID[:8])),
        ("?keep-git-dir&submodules", git.Remote(_URL, keep_git_dir=True)),
        ("?keep-git-dir=false&submodules=0", git.Remote(_URL, keep_git_dir=False, submodules=False)),
    ],
)
def test_queries(query: str, expected: git.Remote) -> None:
    assert git.is_repository(_URL + query)
    assert git.parse(_URL + query) == expected


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?tag=v1#refs/heads/main", "ref conflicts"),
        ("?tag=v1&branch=v1", "ref conflicts"),
        ("?subdir=a#:b", "subdir conflicts"),
        ("?nosuch=1", "unexpected query 'nosuch'"),
        ("?ref=a&ref=b", "unexpected query 'ref'"),
        ("?ref=--upload-pack=x", "invalid ref"),
        ("?tag=a..b", "invalid ref"),
        ("?commit=--all", "invalid commit"),
        ("?commit=aa&checksum=bb", "invalid commit"),
        ("?submodules=maybe", "invalid submodules"),
        ("?subdir=a%00b", "null byte"),
    ],
)
def test_queries_that_are_refused(query: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        git.parse(_URL + query)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "repositories"
    folder.mkdir()
    with served(folder) as address:
        yield address, folder


async def names(address: str, scratch: Path) -> tuple[list[str], str]:
    """The files of a repository, and the commit."""
    async with git.checkout(git.parse(address), scratch) as tree:
        return sorted(os.listdir(tree.root)), tree.commit


async def test_what_a_query_fetches(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    first = repository(folder / "a", {"one": b"1"}, tag="v1")
    last = repository(folder / "a", {"two": b"2"})
    url = f"{address}/a/.git"
    assert await names(f"{url}?tag=v1", tmp_path) == (["one"], first)
    assert await names(f"{url}?commit={first}", tmp_path) == (["one"], first)
    assert await names(f"{url}?commit={last[:8]}&keep-git-dir", tmp_path) == ([".git", "one", "two"], last)
    with pytest.raises(MobyError, match=f"expected checksum to match {first[:8]}, got {last}"):
        await names(f"{url}?commit={first[:8]}", tmp_path)
    with pytest.raises(InvalidArgument) as missing:
        await names(f"{url}?branch=v1", tmp_path)
    assert missing.value.buildkit == "repository does not contain ref refs/heads/v1"


async def test_submodules_are_left_out(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    repository(folder / "sub", {"f": b"f"})
    repository(folder / "a", {"one": b"1"})
    run_git(folder / "a", "submodule", "--quiet", "add", f"{address}/sub/.git", "s")
    repository(folder / "a", {})
    for query, expected in (("", ["f"]), ("?submodules=true", ["f"]), ("?submodules=false", [])):
        async with git.checkout(git.parse(f"{address}/a/.git{query}"), tmp_path) as tree:
            assert os.listdir(f"/proc/self/fd/{tree.root}/s") == expected


async def test_a_repository_with_ids_of_sha256(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / "a").mkdir()
    run_git(folder / "a", "init", "-q", "-b", "main", "--object-format=sha256")
    commit = repository(folder / "a", {"one": b"1"}, tag="v1")
    assert len(commit) == 64
    for query in ("", "?tag=v1", f"#{commit}"):
        assert await names(f"{address}/a/.git{query}", tmp_path) == (["one"], commit)
