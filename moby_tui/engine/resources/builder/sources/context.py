"""The build context: a tar, a repository or a file behind http, in a folder of its own, without what ``.dockerignore`` names."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from pathlib import Path

from moby_tui.engine.archive import tar
from moby_tui.engine.archive.compression import decompress, detect, pieces_of
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder import git
from moby_tui.engine.resources.builder.execution import copying
from moby_tui.engine.resources.builder.execution.digests import Digests
from moby_tui.engine.resources.builder.execution.new_files import NewFiles
from moby_tui.engine.resources.builder.execution.supplies import Supplies
from moby_tui.engine.resources.builder.sources.folders import Kept, kept
from moby_tui.engine.resources.builder.sources.stores import Layout
from moby_tui.engine.resources.images.transfer.load import Archive, receive, take_apart
from moby_tui.engine.resources.images.unpack.apply import apply
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.patterns import Ignore
from moby_tui.schema.build import Caller

#: The largest Dockerfile and ignore file, which are held in memory.
TEXT_LIMIT = 4 << 20
_HEAD = 1 << 16
#: The smallest archive whose folder is kept: a smaller one is unpacked sooner than a folder is looked after.
_LEAST_KEPT = 1 << 16
#: The build argument with which ``.git`` stays in the context, as in BuildKit.
KEEP_GIT_DIR = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"


class Context:
    """``root`` is a descriptor of the folder; every path of the context is resolved inside it. Use as a context manager.

    ``text`` is the Dockerfile if the caller gave only that; ``digests`` are those that are known of the folder; ``kept`` is the folder, if
    the next build may find it.
    """

    def __init__(
        self, folder: Path | int, text: bytes | None = None, digests: Digests | None = None, kept: Kept | None = None
    ) -> None:
        self.root = os.dup(folder) if isinstance(folder, int) else os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.text = text
        self.digests = digests or Digests()
        self._kept = kept

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.root)

    def unpack(self, archive: Path) -> None:
        """Blocking. Raises ``InvalidArgument`` for what is no tar or would reach outside, ``StorageFull``."""
        apply(decompress(pieces_of(archive)), self.root)

    def dockerfile(self, name: str) -> bytes:
        """The text of the Dockerfile. Raises ``InvalidArgument`` if it is missing or empty."""
        data = self.read(name) if self.text is None else self.text
        if data is None:
            raise InvalidArgument(f"Cannot locate specified Dockerfile: {name}")
        if not data.strip():
            error = InvalidArgument(f"the Dockerfile ({name}) cannot be empty")
            error.buildkit = "file with no instructions"
            raise error
        return data

    def ignore(self, dockerfile: str = "", text: bytes | None = None) -> Ignore | None:
        """What ``text`` names, or the Dockerfile's own ignore file, or else ``.dockerignore``. Raises ``InvalidArgument``."""
        names = [f"{dockerfile}.dockerignore"] if dockerfile else []
        for name in (*names, ".dockerignore"):
            data = text if text is not None else self.read(name)
            if data is not None:
                return Ignore(data.decode("utf-8", "surrogateescape"))
        return None

    def leave_out_ignored(self, dockerfile: str = "", text: bytes | None = None) -> None:
        """Deletes what is ignored. The next build of the same archive has to unpack it anew then. Blocking."""
        ignore = self.ignore(dockerfile, text)
        if ignore is not None and self._delete_excluded(ignore) and self._kept:
            self._kept.note = b""

    def read(self, name: str) -> bytes | None:
        """The content of a small regular file; None if it is missing. Does not block on a pipe or device."""
        try:
            fd = open_in_root(self.root, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InvalidArgument(f"cannot read {name[:200]!r} of the build context: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InvalidArgument(f"{name[:200]!r} of the build context is not a file")
        with os.fdopen(fd, "rb") as file:
            data = file.read(TEXT_LIMIT + 1)
        if len(data) > TEXT_LIMIT:
            raise InvalidArgument(f"{name[:200]!r} of the build context has more than {TEXT_LIMIT} bytes")
        return data

    def _delete_excluded(self, ignore: Ignore) -> bool:
        """True if anything was deleted."""
        deleted = False
        kept: list[bytes] = []
        pending = [b""]
        while pending:
            folder = pending.pop()
            with trees.closing(trees.open_below(self.root, folder or b".")) as fd:
                for name in os.listdir(fd):
                    path = folder + b"/" + os.fsencode(name) if folder else os.fsencode(name)
                    excluded = ignore.excludes(os.fsdecode(path))
                    if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                        if excluded:
                            deleted = True
                            os.unlink(name, dir_fd=fd)
                    elif not excluded or ignore.has_exceptions:
                        pending.append(path)
                        if excluded:
                            kept.append(path)
                    else:
                        deleted = True
                        trees.remove_at(fd, name)
        for path in reversed(kept):  # in reverse: children come after their parents in the list, and are deleted first
            above, _, base = path.rpartition(b"/")
            with suppress(OSError), trees.closing(trees.open_below(self.root, above or b".")) as fd:
                os.rmdir(base, dir_fd=fd)
                deleted = True
        return deleted


class Sources:
    """Fetches contexts into ``folder``, where they stay until ``stack`` ends."""

    def __init__(
        self,
        folder: Path,
        stack: AsyncExitStack,
        supplies: Supplies,
        *,
        caller: Caller | None = None,
        places: Path,
        keep_git_dir: bool = False,
    ) -> None:
        """Folders of ``caller``, and contexts that were sent under a name, are kept in ``places``."""
        self._folder = folder
        self._stack = stack
        self._supplies = supplies
        self._caller = caller
        self._places = places
        self._keep_git_dir = keep_git_dir

    async def sent(self, pieces: AsyncIterator[bytes], name: str = "") -> Context:
        """A context that the caller sends: a tar, compressed or not, or a single Dockerfile. Raises ``InvalidArgument``, ``StorageFull``.

        What was unpacked last under a ``name`` is kept: the same archive, which a client sends for a folder in which nothing has changed,
        is not unpacked again.
        """
        file, hashed = self._place(), hashlib.sha256()
        await receive(pieces, file, hashed)
        return await self._opened(file, f"sent\0{name}" if name else "", hashed.digest())

    async def fetched(self, address: str) -> Context:
        """A context that is fetched: a repository, or a file at an http(s) address. Raises ``InvalidArgument``, ``Unavailable``."""
        if git.is_repository(address):
            remote = git.parse(address)
            agent = await self._stack.enter_async_context(self._supplies.agent("default"))
            secrets = await self._supplies.tokens(remote.host)
            checkout = git.checkout(remote, self._folder, secrets=secrets, agent=agent, keep_git_dir=self._keep_git_dir)
            return self._stack.enter_context(Context((await self._stack.enter_async_context(checkout)).root))
        if not address.startswith(("http://", "https://")):
            raise InvalidArgument(f"unable to prepare context: {address[:200]!r} is neither a repository nor an http(s) address")
        new_files = NewFiles(self._folder)
        await new_files.fetch(address, "", to_folder=False)
        into = self._place()
        into.mkdir()
        with trees.closing(os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
            await in_thread(new_files.copy, root, b"/file", copying.Attributes())
        return await self._opened(into / "file")

    async def folder(self, name: str, ignore: Ignore | None, only: Sequence[str] = ()) -> tuple[Context, int]:
        """A folder of the caller, without what is ignored, and the bytes that were sent. Raises ``Unavailable`` if the caller is gone.

        ``only``: these paths, and what their symbolic links lead to; all if empty.
        """
        return await self._filled(name, name, exclude=ignore.patterns if ignore else (), only=only)

    async def selected(
        self, name: str, hint: str, *, include: Sequence[str], exclude: Sequence[str], follow: Sequence[str]
    ) -> tuple[Context, int]:
        """A part of a folder of the caller, and the bytes that were sent. ``hint`` tells folders of one name apart.

        ``include`` and ``exclude`` are patterns; all is included if there are none. ``follow``: see ``folder``.
        """
        return await self._filled(name, f"{name}\0{hint}\0{[*include]}", exclude=exclude, only=follow, include=include)

    async def _filled(
        self, name: str, key: str, *, exclude: Sequence[str], only: Sequence[str], include: Sequence[str] = ()
    ) -> tuple[Context, int]:
        """A folder that is kept under this key for the caller's later builds."""
        assert self._caller is not None
        whole = f"{self._caller.key}\0{key}" if self._caller.key else ""
        own = await self._stack.enter_async_context(kept(self._places, whole, self._folder))
        sent = await self._caller.fill(name, own.folder, exclude=exclude, only=only, include=include, inventory=own.noted)
        own.note = sent.inventory
        if not sent.changed:
            own.digests = own.before
        return self._stack.enter_context(Context(own.folder, digests=own.digests)), sent.size

    async def repository(self, remote: git.Remote, *, keep_git_dir: bool) -> tuple[Context, str]:
        """The files of a repository, and the id of the commit. Raises ``InvalidArgument``, ``Unreachable``."""
        agent = ""
        if not remote.url.startswith(("http", "git:")):
            agent = await self._stack.enter_async_context(self._supplies.agent("default"))
        secrets = await self._supplies.tokens(remote.host)
        checkout = git.checkout(remote, self._folder, secrets=secrets, agent=agent, keep_git_dir=keep_git_dir)
        opened = await self._stack.enter_async_context(checkout)
        return self._stack.enter_context(Context(opened.root)), opened.commit

    def mounted(self, root: AbstractContextManager[int]) -> Context:
        """What is in a folder, which stays open as long as the contexts do."""
        return self._stack.enter_context(Context(self._stack.enter_context(root)))

    def below(self, context: Context, folder: str) -> Context:
        """A folder of a context, with the files below it. Raises ``InvalidArgument`` if there is none."""
        try:
            return self.opened(open_in_root(context.root, folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise InvalidArgument(f"the build context has no folder {folder[:200]!r}: {error.strerror}") from error

    def opened(self, root: int) -> Context:
        """What is in a folder; its descriptor is closed."""
        with trees.closing(root):
            return self._stack.enter_context(Context(root))

    async def files(self, name: str, only: Sequence[str]) -> tuple[Context, int]:
        """A folder with these files of a caller's folder, if they are there, and the bytes that were sent."""
        assert self._caller is not None
        into = self._place()
        into.mkdir()
        sent = await self._caller.fill(name, into, only=only)
        return self._stack.enter_context(Context(into)), sent.size

    async def archive(self, pieces: AsyncIterator[bytes]) -> Archive:
        """An archive of images, read into its members as it arrives."""
        return await take_apart(pieces, self._place())

    def layout(self, store: str) -> Layout:
        """An OCI layout in a store of the caller. Raises ``InvalidArgument`` if there is no caller."""
        if self._caller is None:
            raise InvalidArgument(f"nobody has the store {store[:80]!r}: send the content with the build")
        return Layout(self._caller, store, self._place())

    async def _opened(self, file: Path, key: str = "", digest: bytes = b"") -> Context:
        """``key`` and ``digest``: what the folder is kept under, and what the archive is known by."""
        head = await in_thread(_head, file)
        if head and not _is_archive(head):
            folder = self._place()
            folder.mkdir()
            return self._stack.enter_context(Context(folder, await in_thread(_text, file)))
        if file.stat().st_size < _LEAST_KEPT:
            key = ""
        own = await self._stack.enter_async_context(kept(self._places, key, self._folder, share=False))
        same = bool(digest) and own.noted == digest
        if same:
            own.digests = own.before
        else:
            await in_thread(trees.remove, own.folder)
            own.folder.mkdir()
        context = self._stack.enter_context(Context(own.folder, digests=own.digests, kept=own))
        if not same:
            await in_thread(context.unpack, file)
        own.note = digest
        return context

    def _place(self) -> Path:
        return self._folder / f"source-{os.urandom(8).hex()}"


def _head(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(_HEAD)


def _text(file: Path) -> bytes:
    if file.stat().st_size > TEXT_LIMIT:
        raise InvalidArgument(f"the build context is neither a tar nor a Dockerfile: it has more than {TEXT_LIMIT} bytes")
    data = file.read_bytes()
    if b"\0" in data:
        raise InvalidArgument("the build context is neither a tar nor a Dockerfile; send a tar, compressed or not")
    return data


def _is_archive(head: bytes) -> bool:
    """Whether the beginning of a file is that of a tar, compressed or not; what is compressed is taken for one."""
    if detect(head) or not head.strip(b"\0"):
        return True
    try:
        return next(iter(tar.Reader(iter([head]))), None) is not None
    except InvalidArgument:
        return False
