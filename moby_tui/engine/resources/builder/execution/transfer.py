"""COPY and ADD: where their files come from, and the layer that is made of them.

https://docs.docker.com/reference/dockerfile/#copy and #add.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Protocol

from moby_tui.engine.archive import tar
from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder import git
from moby_tui.engine.resources.builder.execution import copying, naming, selection
from moby_tui.engine.resources.builder.execution.digests import Digests
from moby_tui.engine.resources.builder.execution.new_files import NewFiles
from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.builder.llb import operations
from moby_tui.engine.resources.builder.llb.vertices import Names, Unknown
from moby_tui.engine.resources.dockerfile import arguments, modes
from moby_tui.engine.resources.dockerfile.parser import Document, Instruction
from moby_tui.engine.resources.images.unpack.apply import apply
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.patterns import Ignore

if TYPE_CHECKING:
    from moby_tui.engine.resources.builder.graph.workshop import Workshop

_CHUNK = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_IDS = re.compile(r"(\d{1,10})(?::(\d{1,10}))?")
#: The flags that are part of the cache's key as they are; those of owner and mode are resolved first.
_TOLD = ("chown", "chmod", "parents", "link", "unpack", "keep-git-dir")


class Source(Protocol):
    """Files to be copied; ``count`` is the number of the instruction's arguments."""

    @property
    def count(self) -> int: ...

    def digest(self) -> str:
        """The digest of all that would be copied. Blocking."""
        ...

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        """Copies into a root file system. Blocking."""
        ...


@dataclass(frozen=True)
class _Files:
    """Files of the context, a stage, an image or a repository."""

    root: int
    paths: list[bytes]
    exclude: Ignore = selection.NOTHING
    digests: Digests = field(default_factory=Digests)

    @property
    def count(self) -> int:
        return len(self.paths)

    def digest(self) -> str:
        compute = partial(selection.digest, self.root, self.paths, self.exclude)
        return self.digests.of(self.paths, self.exclude.patterns, compute)

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        if self.paths:
            copying.copy(self.root, self.paths, root, target, attributes, self.exclude)


@dataclass(frozen=True)
class _WithParents:
    """Files that are copied with their parents: ``above`` has for each path the folders to keep."""

    root: int
    above: dict[bytes, bytes]
    exclude: Ignore

    @property
    def count(self) -> int:
        return len(self.above)

    def digest(self) -> str:
        content = selection.digest(self.root, [*self.above], self.exclude)
        return hashlib.sha256(content.encode() + b"\0".join(self.above.values())).hexdigest()

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        for path, above in self.above.items():
            parts = (target.rstrip(b"/"), above, self._own_name(path))
            folder = b"/".join(part for part in parts if part)
            copying.copy(self.root, [path], root, folder + b"/", attributes, self.exclude)

    def _own_name(self, path: bytes) -> bytes:
        """The name under which a directory itself is copied; empty for a file."""
        with trees.closing(open_in_root(self.root, path or b".", os.O_PATH)) as descriptor:
            return path.rpartition(b"/")[2] if stat.S_ISDIR(os.fstat(descriptor).st_mode) else b""


@dataclass(frozen=True)
class Archives:
    """Archives, which ADD unpacks."""

    root: int
    paths: list[bytes]
    #: what is unpacked gets the owner of the instruction (``--chown``), in place of those in the archive
    is_owned: bool = False

    @property
    def count(self) -> int:
        return len(self.paths)

    def digest(self) -> str:
        return selection.digest(self.root, self.paths)

    def copy(self, root: int, target: bytes, attributes: copying.Attributes) -> None:
        """Unpacks them, with the modes of the archive, and its owners unless the instruction names one.

        Raises ``InvalidArgument`` for an archive that leads outside.
        """
        owner = (attributes.uid, attributes.gid) if self.is_owned else None
        for path in self.paths:
            with (
                copying.explained("ADD", target),
                trees.closing(copying.make_directory(root, target, copying.Attributes(*(owner or (0, 0))))) as folder,
                _opened(self.root, path) as file,
            ):
                apply(decompress(iter(lambda file=file: file.read(_CHUNK), b"")), folder, owner)  # type: ignore[misc]


@dataclass
class Transfer:
    """One instruction. ``expand`` replaces the variables of a word, ``expand_text`` those of a here-document."""

    shop: Workshop
    image: BuiltImage
    instruction: Instruction
    expand: Callable[[str], str]
    expand_text: Callable[[str], str]
    _flags: dict[str, str] = field(default_factory=dict)

    async def carry_out(self) -> BuiltImage:
        """Raises ``InvalidArgument``, and for what ADD fetches ``Unavailable`` and ``MobyError``."""
        name = self.instruction.name
        self._flags = {key: self.expand(value) for key, value in self.instruction.flags.items()}
        *words, destination = self._words()
        async with AsyncExitStack() as stack:
            sources = await self._sources(stack, words)
            many = len(words) > 1 or sum(source.count for source in sources) > 1
            target = self._target(destination)
            digests = [await in_thread(source.digest) for source in sources if source.count]
            digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
            copy = await self._copy(sources, target)
            unpacks = any(isinstance(source, Archives) and source.count for source in sources)
            shown = "".join(f"--{key}={self._flags[key]} " for key in _TOLD if key in self._flags)
            created_by = f"/bin/sh -c #(nop) {name} {shown}{'multi' if many else 'file'}:{digest} in {os.fsdecode(target)} "

            async def produce() -> Layer | None:
                if self._flags.get("link") != "true":
                    return await self.shop.layering.change(self.image, copy, unpacks=unpacks)
                return await self.shop.linked_layer(created_by, copy, digest, unpacks=unpacks)

            async def named(below: Names) -> Names:
                return await self._named(below, words, destination)

            told = self._told(words, destination)
            return await self.shop.advance(self.image, created_by, produce=produce, content=digest, naming=named, told=told)

    def _told(self, words: list[str], destination: str) -> str:
        """The line of history in BuildKit's words."""
        flags = [f"--{key}={self._flags[key]}" for key in ("chown", "chmod") if self._flags.get(key)]
        return " ".join([self.instruction.name, *flags, *words, destination, "# buildkit"])

    # Words

    def _words(self) -> list[str]:
        instruction = self.instruction
        markers = {document.marker for document in instruction.documents}
        given = arguments.sources_and_destination(instruction.name, instruction.value)
        if given[-1] in markers:
            raise InvalidArgument(f"{instruction.name} cannot have a here-document as its destination")
        return [word if word in markers else self.expand(word) for word in given]

    def _target(self, text: str) -> bytes:
        # a variable may be empty: its value is the working directory
        text = text or "."
        folder = text.endswith("/") or posixpath.basename(text) in (".", "..")
        path = posixpath.normpath(posixpath.join("/", self.image.execution.working_dir, text))
        path = "/" + path.lstrip("/")
        return os.fsencode(path + "/" if folder and path != "/" else path)

    def _text(self, document: Document) -> bytes:
        text = self.expand_text(document.text) if document.expands else document.text
        return text.encode("utf-8", "surrogateescape")

    # The name in BuildKit's caches

    async def _named(self, below: Names, words: list[str], destination: str) -> Names:
        """Raises ``Unknown``."""
        documents = {document.marker: document for document in self.instruction.documents}
        own = [word for word in words if word not in documents]
        for flag in ("parents", "keep-git-dir", "checksum"):
            if flag in self._flags:
                raise Unknown(f"it has --{flag}")
        if "exclude" in self.instruction.repeated:
            raise Unknown("it has --exclude")
        if any(_is_url(word) or _is_repository(word) for word in own):
            raise Unknown("it fetches files")
        mode = modes.read(self._flags["chmod"]) if "chmod" in self._flags else None
        if mode is not None and mode.fixed is None:
            raise Unknown("it changes modes by letters")
        paths = [posixpath.normpath(f"/{word.lstrip('/')}") for word in own]
        sources = [await naming.source(self.shop, self._flags.get("from", ""), paths)] if own else []
        for document in documents.values():
            vertex = operations.document(document.name, self._text(document))
            sources.append(operations.Source([f"/{document.name}"], names=(vertex,), is_document=True))
        target = _slashed(posixpath.join("/", self.image.execution.working_dir, destination or "."), destination)
        unpacks = self.instruction.name == "ADD" and self._flags.get("unpack") != "false"
        owner = self._flags.get("chown", "")
        is_linked = self._flags.get("link") == "true"
        if is_linked and mode is not None:
            raise Unknown("it has --link and --chmod")
        on = () if is_linked else below
        names = operations.copy(on, sources, target, owner, mode.fixed if mode else None, unpacks=unpacks)
        return operations.merged(below, names) if is_linked else names

    # Sources

    async def _sources(self, stack: AsyncExitStack, words: list[str]) -> list[Source]:
        new_files = NewFiles(self.shop.scratch)
        for document in self.instruction.documents:
            new_files.write(document.marker, document.name, self._text(document))
        adds = self.instruction.name == "ADD"
        repositories = [word for word in words if adds and _is_repository(word) and word not in new_files.names]
        urls = [word for word in words if adds and _is_url(word) and word not in repositories]
        checksum = self._flags.get("checksum", "")
        if checksum and len(words) + len(repositories) + len(urls) != 2:
            raise InvalidArgument("checksum can't be specified for anything but one HTTP or Git source")
        for url in urls:
            await new_files.fetch(url, checksum, to_folder=self.instruction.value.endswith("/"))
        sources: list[Source] = []
        sources += self._unpacked(stack, new_files) if self._flags.get("unpack") == "true" else [new_files]
        for repository in repositories:
            sources.append(await self._repository(stack, repository, checksum))
        own = [word for word in words if word not in new_files.names and word not in repositories]
        return [*await self._context_sources(stack, own), *sources]

    async def _context_sources(self, stack: AsyncExitStack, words: list[str]) -> list[Source]:
        """The files of the context, or of ``--from``."""
        if not words:
            return []
        origin = self._flags.get("from", "")
        root = await stack.enter_async_context(self.shop.source(origin))
        exclude = Ignore("\n".join(map(self.expand, self.instruction.repeated.get("exclude", ()))))
        if self._flags.get("parents") == "true":
            above = await in_thread(selection.parents, root, words, context=not origin)
            kept = {path: folders for path, folders in above.items() if not exclude.excludes(os.fsdecode(path))}
            return [_WithParents(root, kept, exclude)]
        paths = await in_thread(selection.select, root, words, context=not origin)
        paths = [path for path in paths if not exclude.excludes(os.fsdecode(path))]
        unpacks = self.instruction.name == "ADD" and self._flags.get("unpack") != "false"
        archives = await in_thread(archives_in, root, paths) if unpacks else []
        digests = await self.shop.digests(origin)
        return [_Files(root, [path for path in paths if path not in archives], exclude, digests), self._archives(root, archives)]

    def _unpacked(self, stack: AsyncExitStack, new_files: NewFiles) -> list[Source]:
        """Splits the downloads into archives and other files."""
        if not new_files.paths:
            return []
        root = new_files.open()
        stack.callback(os.close, root)
        archives = archives_in(root, new_files.paths)
        return [_Files(root, [path for path in new_files.paths if path not in archives]), self._archives(root, archives)]

    def _archives(self, root: int, paths: list[bytes]) -> Archives:
        return Archives(root, paths, is_owned=bool(self._flags.get("chown")))

    async def _repository(self, stack: AsyncExitStack, word: str, checksum: str) -> Source:
        if checksum and not _COMMIT.fullmatch(checksum):
            raise InvalidArgument(f"invalid checksum {checksum[:80]!r}: of a repository it is a commit id")
        remote = git.parse(word)
        agent = ""
        if not remote.url.startswith(("http", "git:")):
            agent = await stack.enter_async_context(self.shop.supplies.agent("default"))
        checkout = await stack.enter_async_context(
            git.checkout(
                remote,
                self.shop.scratch,
                secrets=await self.shop.supplies.tokens(remote.host),
                agent=agent,
                keep_git_dir=self._flags.get("keep-git-dir") == "true",
            )
        )
        if not checkout.commit.startswith(checksum):
            raise MobyError(f"expected checksum to match {checksum}, got {checkout.commit}")
        return _Files(checkout.root, [b""])

    # The copy

    async def _copy(self, sources: list[Source], target: bytes) -> Callable[[int], None]:
        """The function that copies into a root file system. With ``--link`` users are looked up in the image: the layer has none."""
        mode = modes.read(self._flags["chmod"]) if "chmod" in self._flags else None
        chown = self._flags.get("chown", "")
        # root is 0 also in an image that has no list of users
        ids = _IDS.fullmatch(":".join("0" if each == "root" else each for each in chown.split(":")))
        owner = (int(ids[1]), int(ids[2] or ids[1])) if ids else None if chown else (0, 0)
        if owner is None and self._flags.get("link") == "true":
            async with self.shop.layering.mounted(self.image) as root:
                owner = await in_thread(self._owner, root, chown)
            self._flags["chown"] = f"{owner[0]}:{owner[1]}"

        def copy(root: int) -> None:
            attributes = copying.Attributes(*(owner or self._owner(root, chown)), mode)
            for source in sources:
                source.copy(root, target, attributes)

        return copy

    def _owner(self, root: int, text: str) -> tuple[int, int]:
        """The ids of ``--chown``. As with BuildKit a name that the image does not have is root's, and a group that it does not have is that
        of the user. Raises ``InvalidArgument`` for a name on top of nothing, and in the classic builder for every unknown one."""
        user, _, _ = text.partition(":")
        if self.shop.classic:
            return self.shop.steps.owner(root, text)
        if not self.image.id and not user.isdecimal():
            raise InvalidArgument("invalid user index: -1; the image has no list of users, write numbers")
        for known in (text, user):
            with suppress(InvalidArgument):
                return self.shop.steps.owner(root, known)
        return 0, 0


def _slashed(path: str, text: str) -> str:
    """A destination as BuildKit writes it: without dots and doubled slashes, but with the end that the instruction gave it."""
    path = "/" + posixpath.normpath(path).lstrip("/")
    if text.endswith("/") or text in ("", "."):
        return path if path == "/" else path + "/"
    return f"{path.rstrip('/')}/." if text.endswith("/.") else path


def _is_url(word: str) -> bool:
    return word.lower().startswith(("http://", "https://"))


def _is_repository(word: str) -> bool:
    """A word like ``github.com/owner/name`` may as well be a path of the context."""
    return not word.startswith("github.com/") and git.is_repository(word)


def archives_in(root: int, paths: list[bytes]) -> list[bytes]:
    """The paths that are archives. Pipes and devices are not opened: opening can have effects. Blocking."""
    archives = []
    for path in paths:
        with trees.closing(open_in_root(root, path or b".", os.O_PATH)) as there:
            if not stat.S_ISREG(os.fstat(there).st_mode):
                continue
        with _opened(root, path) as file:
            if _is_archive(file.read(_CHUNK)):
                archives.append(path)
    return archives


def _opened(root: int, path: bytes) -> BinaryIO:
    return os.fdopen(open_in_root(root, path or b".", os.O_RDONLY | os.O_NONBLOCK), "rb")


def _is_archive(head: bytes) -> bool:
    """Whether the beginning of a file is that of a tar, compressed or not."""
    try:
        return next(iter(tar.Reader(decompress([head]))), None) is not None
    except InvalidArgument:
        return False
