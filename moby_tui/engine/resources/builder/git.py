"""Git repositories, as the context of a build and as a source of ADD. The installed git(1) fetches them.

``parse`` reads ``https://host/path.git#ref:folder``, ``ssh://``, ``git://``, ``git@host:path`` and ``github.com/owner/name``;
``is_repository`` tells whether a text is one of these. ``checkout`` fetches the one commit that is wanted, with its submodules, and
gives a descriptor of the folder and the commit's id::

    remote = git.parse("https://example.org/project.git#v1:src")
    async with git.checkout(remote, scratch, secrets=shop.secrets) as tree:
        selection.digest(tree.root, [b""])
        tree.commit

A repository is hostile: no hook, template, filter or configuration of a user is run, no program is asked for a password, no
protocol but those above is spoken (also not by a submodule: CVE-2017-1000117, CVE-2022-39253), and no part of the address is ever read as an
option.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from moby_tui.engine.archive import limits
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError, Unreachable

_SCHEMES = ("https", "http", "git", "ssh")
_SCP = re.compile(r"([A-Za-z0-9_.+-]+@[A-Za-z0-9_.\[\]:-]*[A-Za-z0-9_.\]]):(?!//)(.+)")
_COMMIT, _COMMIT_PREFIX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), re.compile(r"[0-9a-f]{1,64}")
#: Names that the query of an address may have; those of a ref with what is put before it.
_REFS = {"ref": "", "tag": "refs/tags/", "branch": "refs/heads/"}
_QUERY = (*_REFS, "subdir", "commit", "checksum", "keep-git-dir", "submodules")
#: What git says of a repository whose objects have ids of the other kind.
_OTHER_IDS = ("mismatched algorithms", "bad revision", "did not send all necessary objects", "object format")
#: Names of refs that are refused: those that git-check-ref-format(1) forbids, and those that git reads as an option or a range.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/+]|[/.]$|\.lock$")
#: The secret with the token for repositories over https. A token for one host only has the host's name after a dot.
TOKEN = "GIT_AUTH_TOKEN"
#: After so many seconds with less than a kilobyte each, the transfer fails.
_PATIENCE = 30
_PASSED = ("PATH", "LANG", "LC_ALL", *(f"{name}_PROXY" for name in ("HTTP", "HTTPS", "NO", "ALL")))
_SETTINGS = {
    "advice.detachedHead": "false",
    "core.askPass": "true",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": str(_PATIENCE),
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "transfer.fsckObjects": "true",
}


@dataclass(frozen=True)
class Remote:
    """A repository; an empty ``ref`` is its default branch. ``folder`` is the folder in it to use.

    ``commit`` is how the id of the commit must begin. ``keep_git_dir`` is what the address says of ``.git``, None for nothing.
    """

    url: str
    ref: str = ""
    folder: str = ""
    commit: str = ""
    keep_git_dir: bool | None = None
    submodules: bool = True

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class Checkout:
    """``root`` is a descriptor of the folder to use, ``commit`` the id of the commit."""

    root: int
    commit: str


def is_repository(text: str) -> bool:
    """True for the address of a repository. An http(s) address is one only if its path ends in ``.git``."""
    address = text.partition("#")[0]
    if address.startswith(("http://", "https://")):
        return urlsplit(address).path.endswith(".git")
    return address.startswith(("git://", "ssh://", "github.com/")) or _SCP.fullmatch(address) is not None


def parse(text: str) -> Remote:
    """Raises ``InvalidArgument``."""
    address, _, fragment = text.partition("#")
    address, _, query = address.partition("?")
    ref, _, folder = fragment.partition(":")
    if any(ord(letter) < 0x21 or ord(letter) == 0x7F for letter in address):
        raise InvalidArgument(f"invalid address of a repository {text[:200]!r}: it has a blank or control character")
    if address.startswith("github.com/"):
        address = f"https://{address}"
    if "://" in address:
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.hostname.startswith("-") or parts.netloc.startswith("-"):
            raise InvalidArgument(f"invalid address of a repository {text[:200]!r}: write it as https://host/path.git#ref:folder")
    elif match := _SCP.fullmatch(address):
        if match[1].startswith("-") or match[2].startswith("-"):
            raise InvalidArgument(f"invalid address of a repository {text[:200]!r}")
        address = f"ssh://{match[1]}/{match[2].lstrip('/')}" if match[2].startswith("/") else address
    else:
        raise InvalidArgument(f"{text[:200]!r} is no address of a repository: write it as https://host/path.git#ref:folder")
    return _with_query(Remote(address, ref, folder), query)


def _with_query(remote: Remote, query: str) -> Remote:
    """With what the query of an address says: https://docs.docker.com/build/concepts/context/#url-queries."""
    said = dict[str, str]()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _QUERY or name in said:
            raise InvalidArgument(f"unexpected query {name[:40]!r} of a repository: it is one of {', '.join(_QUERY)}, once")
        said[name] = value
    refs = {f"{_REFS[name]}{said[name]}" for name in _REFS if said.get(name)} | ({remote.ref} if remote.ref else set())
    if len(refs) > 1:
        raise InvalidArgument(f"ref conflicts: {' and '.join(sorted(each[:80] for each in refs))}; name one")
    if said.get("subdir") and remote.folder and said["subdir"] != remote.folder:
        raise InvalidArgument(f"subdir conflicts: {said['subdir'][:80]} and {remote.folder[:80]}; name one")
    commits = {said[name] for name in ("commit", "checksum") if said.get(name)}
    if len(commits) > 1 or not all(map(_COMMIT_PREFIX.fullmatch, commits)):
        raise InvalidArgument("invalid commit of a repository: write one id of a commit, or its beginning")
    commit = "".join(commits)
    ref = "".join(refs) or (commit if _COMMIT.fullmatch(commit) else "")
    folder = said.get("subdir") or remote.folder
    if ref and _BAD_REF.search(ref):
        raise InvalidArgument(f"invalid ref {ref[:80]!r}: name a branch, a tag or a whole commit id after the #")
    if "\0" in folder:
        raise InvalidArgument("invalid folder of a repository: it has a null byte")
    keeps = _flag("keep-git-dir", said["keep-git-dir"]) if "keep-git-dir" in said else None
    submodules = _flag("submodules", said.get("submodules", ""))
    return Remote(remote.url, ref, folder.strip("/"), commit, keeps, submodules)


def _flag(name: str, text: str) -> bool:
    """The value of a switch, which is on if it has none."""
    if text.lower() not in ("", "1", "t", "true", "0", "f", "false"):
        raise InvalidArgument(f"invalid {name} {text[:40]!r} of a repository: it is true or false")
    return text.lower() in ("", "1", "t", "true")


@asynccontextmanager
async def checkout(
    remote: Remote, scratch: Path, *, secrets: Mapping[str, bytes] | None = None, agent: str = "", keep_git_dir: bool = False
) -> AsyncIterator[Checkout]:
    """Fetches the files of one commit into a folder of ``scratch``, which is deleted at the end of the block.

    ``keep_git_dir``: unless the address says something else. ``agent`` is the socket of an ssh agent for ssh. Raises
    ``InvalidArgument`` if the repository has no such ref or folder, ``Unreachable`` if it cannot be fetched, ``MobyError`` if git
    is not installed. A caller that is cancelled ends git.
    """
    folder = scratch / f"git-{os.urandom(8).hex()}"
    await in_thread(folder.mkdir)
    try:
        git = _Git(folder, remote, secrets or {}, agent)
        commit = await git.fetch()
        if not commit.startswith(remote.commit):
            raise MobyError(f"expected checksum to match {remote.commit}, got {commit}")
        if not (keep_git_dir if remote.keep_git_dir is None else remote.keep_git_dir):
            await in_thread(_without_git_dirs, folder)
        try:
            with trees.closing(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as top:
                root = open_in_root(top, remote.folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InvalidArgument(
                f"{remote.url[:200]} has no folder {remote.folder[:200]!r} at {remote.ref or 'HEAD'}"
            ) from error
        with trees.closing(root):
            yield Checkout(root, commit)
    finally:
        await in_thread(staging.delete, folder)


def _without_git_dirs(folder: Path) -> None:
    """Deletes the folder ``.git``, and the files ``.git`` of submodules."""
    staging.delete(folder / ".git")
    for top, directories, names, fd in os.fwalk(folder, follow_symlinks=False):
        del top, directories
        if ".git" in names:
            os.unlink(".git", dir_fd=fd)


def _clear(folder: Path) -> None:
    for each in folder.iterdir():
        staging.delete(each)


class _Git:
    def __init__(self, folder: Path, remote: Remote, secrets: Mapping[str, bytes], agent: str) -> None:
        self._folder = folder
        self._remote = remote
        self._environment = _environment(remote, secrets, agent)

    async def fetch(self) -> str:
        ref = self._remote.ref or "HEAD"
        if len(ref) == 64 and _COMMIT.fullmatch(ref):
            return await self._fetch_with("sha256", ref)
        try:
            return await self._fetch_with("sha1", ref)
        except MobyError as error:
            if not any(phrase in error.message for phrase in _OTHER_IDS):
                raise
        await in_thread(_clear, self._folder)
        return await self._fetch_with("sha256", ref)

    async def _fetch_with(self, ids: str, ref: str) -> str:
        """``ids`` is the kind of the ids of objects."""
        await self._run("init", "--quiet", "--template=", *(["--object-format=sha256"] if ids == "sha256" else []), ".")
        await self._run("remote", "add", "origin", self._remote.url)
        if not _COMMIT.fullmatch(ref):
            await self._fetch(ref)
            revision = "FETCH_HEAD"
        else:
            revision = ref
            try:
                await self._run("fetch", "--quiet", "--no-tags", "--depth=1", "origin", ref)
            except MobyError:
                # a server may refuse a commit that no ref names: then all refs are fetched
                await self._run_for_ref(ref, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
        await self._run_for_ref(ref, "checkout", "--quiet", "--detach", revision, "--")
        if self._remote.submodules and (self._folder / ".gitmodules").is_file():
            await self._fetch_submodules(ref)
        return (await self._run("rev-parse", "--verify", "HEAD")).strip()

    async def _fetch_submodules(self, ref: str) -> None:
        update = ("submodule", "--quiet", "update", "--init", "--recursive", "--checkout")
        try:
            await self._run(*update, "--depth=1")
        except MobyError as error:
            if "shallow" not in error.message:
                raise self._explained(ref, error) from error
            # as for the repository itself
            await self._run_for_ref(ref, *update)

    async def _fetch(self, ref: str) -> None:
        try:
            await self._run("fetch", "--quiet", "--no-tags", "--depth=1", "origin", ref)
        except MobyError as error:
            if "shallow" not in error.message:
                raise self._explained(ref, error) from error
            # the "dumb" protocol (gitprotocol-http(5)), plain files on a web server, has no shallow fetch
            await self._run_for_ref(ref, "fetch", "--quiet", "--no-tags", "origin", ref)

    async def _run_for_ref(self, ref: str, *arguments: str) -> None:
        try:
            await self._run(*arguments)
        except MobyError as error:
            raise self._explained(ref, error) from error

    def _explained(self, ref: str, error: MobyError) -> MobyError:
        text = error.message
        where = self._without_password()
        if any(phrase in text for phrase in ("couldn't find remote ref", "not our ref", "not a tree", "did not match any")):
            missing = InvalidArgument(f"{where} has no ref {ref[:80]!r}: name a branch, a tag or a whole commit id after the #")
            missing.buildkit = f"repository does not contain ref {ref[:80]}"
            return missing
        if "transport" in text and "not allowed" in text:
            return InvalidArgument(f"{where} has a submodule of a kind that is not fetched: {text}")
        return Unreachable(f"{where} cannot be fetched: {text}; check the address, and who may read it")

    def _without_password(self) -> str:
        """The address without a password in it."""
        return re.sub(r"://[^/@]*@", "://", self._remote.url)[:200]

    async def _run(self, *arguments: str) -> str:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *settings,
                *arguments,
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                umask=0o022,
            )
        except FileNotFoundError:
            raise MobyError("git is not installed on the engine's machine: install it, or fetch the repository by hand") from None
        try:
            out, errors = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    # git's children too
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        if process.returncode:
            raise MobyError(_summary(errors.decode("utf-8", "replace")))
        return out.decode("ascii", "replace")


def _summary(errors: str) -> str:
    """Git's error message, on one line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    messages = [line.partition(": ")[2] for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return "; ".join(dict.fromkeys(messages or lines[-1:]))[:500] or "git failed"


def _environment(remote: Remote, secrets: Mapping[str, bytes], agent: str) -> dict[str, str]:
    """The environment for git: of the caller's only proxies and the like. The token is not on a command line, where others could read it."""
    given = {name: os.environ[name] for spelled in _PASSED for name in (spelled, spelled.lower()) if name in os.environ}
    batch = f"-o BatchMode=yes -o ConnectTimeout={_PATIENCE}"
    environment = given | {
        "HOME": "/nonexistent",
        "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
        "GIT_ASKPASS": "true",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_HTTP_LOW_SPEED_LIMIT": str(limits.value(limits.LEAST_RATE)),
        "GIT_HTTP_LOW_SPEED_TIME": str(limits.value(limits.PATIENCE)),
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": f"ssh {batch}",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if agent:
        environment["SSH_AUTH_SOCK"] = agent
    token = secrets.get(f"{TOKEN}.{remote.host}") or secrets.get(TOKEN)
    if token and remote.url.startswith("https://"):
        value = base64.b64encode(b"x-access-token:" + token.strip()).decode()
        host = urlsplit(remote.url).netloc.rpartition("@")[2]
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            # for this host only: neither submodules on other hosts nor redirects get the token
            "GIT_CONFIG_KEY_0": f"http.https://{host}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: basic {value}",
        }
    return environment
