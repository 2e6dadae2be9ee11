"""Repositories are fetched with git, and nothing that lies in one is run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.sources.repository import git as run_git
from build.sources.repository import repository, served
from moby_tui.engine.resources.builder import git
from moby_tui.errors import InvalidArgument, MobyError, Unavailable


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "repositories"
    folder.mkdir()
    with served(folder) as address:
        yield address, folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://h/a/b.git", git.Remote("https://h/a/b.git")),
        ("https://h/a/b.git#v1", git.Remote("https://h/a/b.git", "v1")),
        ("https://h/a/b.git#feature/x:sub/dir/", git.Remote("https://h/a/b.git", "feature/x", "sub/dir")),
        ("http://h:8080/b.git#:sub", git.Remote("http://h:8080/b.git", "", "sub")),
        ("git@github.com:a/b.git#v1", git.Remote("git@github.com:a/b.git", "v1")),
        ("ssh://git@h:22/a", git.Remote("ssh://git@h:22/a")),
        ("github.com/a/b", git.Remote("https://github.com/a/b")),
    ],
)
def test_addresses(text: str, expected: git.Remote) -> None:
    assert git.is_repository(text)
    assert git.parse(text) == expected


@pytest.mark.parametrize("text", ["https://h/a.tar", "https://h/a?x=.git", "./a.git", "file:///a.git", "ext::sh -c x", "/a.git"])
def test_what_is_no_repository(text: str) -> None:
    assert not git.is_repository(text)


@pytest.mark.parametrize(
    "text",
    [
        "file:///a.git",
        "ext::sh",
        "https://-h/a.git",
        "ssh://-oProxyCommand=x/a",
        "git@h:-x",
        "https://h/a.git#--upload-pack=x",
        "https://h/a.git#a..b",
        "https://h/a.git#a:b\0",
        "https://h/a.git#+refs/heads/*",
        "https://h/a\n.git",
    ],
)
def test_hostile_addresses(text: str) -> None:
    with pytest.raises(InvalidArgument):
        git.parse(text)


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_is_read_as_an_option(host: str, fragment: str) -> None:
    for text in (f"https://{host}/a.git#{fragment}", f"git@{host}:a#{fragment}", f"{host}#{fragment}"):
        try:
            remote = git.parse(text)
        except ValueError:
            continue
        except InvalidArgument:
            continue
        assert not remote.url.startswith("-") and not remote.ref.startswith("-") and not remote.host.startswith("-")


async def test_refs_and_folders(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    first = repository(folder / "p", {"sub/file": b"1"}, tag="v1")
    second = repository(folder / "p", {"sub/file": b"2"})
    run_git(folder / "p", "branch", "feature/x", first)
    for ref, commit, content in (
        ("", second, b"2"),
        ("v1", first, b"1"),
        ("main", second, b"2"),
        ("feature/x", first, b"1"),
        (first, first, b"1"),
        ("refs/tags/v1", first, b"1"),
    ):
        async with git.checkout(git.parse(f"{address}/p/.git#{ref}:sub"), tmp_path) as found:
            assert found.commit == commit
            assert os.listdir(found.root) == ["file"]
            with open(os.open("file", os.O_RDONLY, dir_fd=found.root), "rb") as file:
                assert file.read() == content
    assert [name for name in os.listdir(tmp_path) if name.startswith("git-")] == []


async def test_the_repository_itself_is_kept_where_that_is_asked(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    repository(folder / "p", {"file": b"1"})
    remote = git.parse(f"{address}/p/.git")
    async with git.checkout(remote, tmp_path) as found:
        assert os.listdir(found.root) == ["file"]
    async with git.checkout(remote, tmp_path, keep_git_dir=True) as found:
        assert sorted(os.listdir(found.root)) == [".git", "file"]


async def test_what_is_not_there(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    repository(folder / "p", {"file": b"1"})
    os.symlink("/etc", folder / "p" / "out")
    repository(folder / "p", {})
    for fragment, kind, message in (
        ("#none", InvalidArgument, "has no ref 'none'"),
        (f"#{'1' * 40}", InvalidArgument, "has no ref"),
        ("#:none", InvalidArgument, "has no folder 'none'"),
        ("#:out", InvalidArgument, "has no folder 'out'"),
    ):
        with pytest.raises(kind, match=message):
            async with git.checkout(git.parse(f"{address}/p/.git{fragment}"), tmp_path):
                pass
    # above the top is the top: nothing of the machine is in reach
    async with git.checkout(git.parse(f"{address}/p/.git#:../.."), tmp_path) as found:
        assert sorted(os.listdir(found.root)) == ["file", "out"]
    with pytest.raises(Unavailable, match="cannot be fetched"):
        async with git.checkout(git.parse(f"{address}/none/.git"), tmp_path):
            pass
    assert [name for name in os.listdir(tmp_path) if name.startswith("git-")] == []


async def test_submodules_and_hostile_ones(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    repository(folder / "below", {"inner": b"1"})
    repository(folder / "p", {"file": b"1"})
    run_git(folder / "p", "-c", "protocol.allow=always", "submodule", "--quiet", "add", f"{address}/below/.git", "module")
    repository(folder / "p", {})
    async with git.checkout(git.parse(f"{address}/p/.git"), tmp_path) as found:
        assert os.listdir(os.open("module", os.O_RDONLY, dir_fd=found.root)) == ["inner"]
    witness = tmp_path / "witness"
    for url in (f"ext::sh -c touch% {witness}", f"file://{folder}/below/.git", str(folder / "below")):
        modules = folder / "p" / ".gitmodules"
        modules.write_text(f'[submodule "module"]\n\tpath = module\n\turl = {url}\n')
        repository(folder / "p", {})
        with pytest.raises(MobyError, match=r"submodule|cannot be fetched"):
            async with git.checkout(git.parse(f"{address}/p/.git"), tmp_path):
                pass
    assert not witness.exists()


async def test_hooks_and_filters_of_a_user_do_not_run(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = server
    repository(folder / "p", {"file": b"1", ".gitattributes": b"* filter=evil\n"})
    witness = tmp_path / "witness"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {witness}\n")
    (hooks / "post-checkout").chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[core]\n\thooksPath = {hooks}\n[filter "evil"]\n\tsmudge = touch {witness}; cat\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    async with git.checkout(git.parse(f"{address}/p/.git"), tmp_path):
        pass
    assert not witness.exists()


async def test_a_fetch_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    reached, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await ended.wait()
        writer.close()

    async def fetch() -> None:
        async with git.checkout(git.parse(f"git://127.0.0.1:{port}/p"), tmp_path):
            pass

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(fetch())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended.set()
    assert os.listdir(tmp_path) == []
    assert [pid for pid in os.listdir("/proc") if pid.isdecimal() and _is_below(pid, tmp_path)] == []


def _is_below(pid: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(str(folder))
    except OSError:
        return False
