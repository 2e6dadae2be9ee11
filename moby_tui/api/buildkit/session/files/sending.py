"""Results of a build on their way to the client: the call moby.filesync.v1.FileSend/DiffCopy, with one file or with a tree."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from grpclib.client import Stream
from grpclib.exceptions import StreamTerminatedError

from moby_tui.api.buildkit.grpc.client import Method, end
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.session.files.entry import kept
from moby_tui.api.buildkit.session.files.together import together
from moby_tui.api.buildkit.wire.filesync_pb2 import BytesMessage
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet, Stat, Xattr
from moby_tui.engine.archive import go_mode
from moby_tui.engine.kernel import trees
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError

_PATH = "/moby.filesync.v1.FileSend/DiffCopy"
SEND_FILE = Method(_PATH, BytesMessage, BytesMessage, streaming=True)
SEND_TREE = Method(_PATH, Packet, Packet, streaming=True)
#: Which of a build's outputs it is: their number, from 0, in the order in which the client asked for them.
_OUTPUT = "buildkit-attachable-exporter-id"
_ATTRIBUTE = "exporter-md-"
_PIECE = 32 << 10
#: Entries that are looked at, and pieces of a file that are read, in one turn of a thread.
_AT_ONCE = 32


async def send_file(client: Caller, pieces: AsyncIterator[bytes], attributes: Mapping[str, str], output: int = 0) -> None:
    """Sends one file, such as an archive. ``attributes`` tell the client about it. Raises ``Conflict`` if the client has it already."""
    headers = [
        (_ATTRIBUTE + name.lower(), value) for name, value in attributes.items() if value.isascii() and value.isprintable()
    ]
    async with client.stream(SEND_FILE, [(_OUTPUT, str(output)), *headers]) as stream:
        await stream.send_request()
        async for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(view), _PIECE):
                await stream.send_message(BytesMessage(data=bytes(view[start : start + _PIECE])))
        await end(stream)
        async for _ in stream:
            raise MobyError("the client answers a file with another")


async def send_trees(client: Caller, folders: Sequence[tuple[str, Path]], output: int = 0) -> None:
    """Sends everything in folders, which nobody changes meanwhile: each as a folder with the name before it, whose mode is 0755, or, with an
    empty name, as the whole. Names are in ascending order. What lies at the client already stays beside it."""
    with ExitStack() as stack:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        roots = [(os.fsencode(name), stack.enter_context(trees.closing(os.open(folder, flags)))) for name, folder in folders]
        async with client.stream(SEND_TREE, [(_OUTPUT, str(output))]) as stream:
            await stream.send_request()
            await _Sending(stream, roots).run()
            await end(stream)


class _Sending:
    """Entries go in order; contents when the client asks for them, one file after another."""

    def __init__(self, stream: Stream[Packet, Packet], roots: Sequence[tuple[bytes, int]]) -> None:
        self._stream = stream
        self._roots = roots
        #: The files that may be asked for, once each: the root, and the path in it.
        self._files: dict[int, tuple[int, bytes]] = {}
        self._asked: asyncio.Queue[int | None] = asyncio.Queue()

    async def run(self) -> None:
        await together(self._tell(), self._listen(), self._answer())

    async def _tell(self) -> None:
        number = 0
        walk = chain.from_iterable(_named(name, root) for name, root in self._roots)
        while entries := await in_thread(lambda: list(islice(walk, _AT_ONCE))):
            for root, path, entry in entries:
                if stat.S_ISREG(go_mode.read(entry.mode)) and not entry.linkname:
                    self._files[number] = root, path
                await self._stream.send_message(Packet(type=Packet.PACKET_STAT, stat=entry))
                number += 1
        await self._stream.send_message(Packet(type=Packet.PACKET_STAT))

    async def _listen(self) -> None:
        async for packet in self._stream:
            if packet.type == Packet.PACKET_REQ:
                if packet.ID not in self._files:
                    raise InvalidArgument("the client asks for a file that is not there, or twice")
                self._asked.put_nowait(packet.ID)
            elif packet.type == Packet.PACKET_FIN:
                self._asked.put_nowait(None)
                return
            elif packet.type == Packet.PACKET_ERR:
                text = " ".join(packet.data.decode("utf-8", "replace").split())[:500]
                raise MobyError(f"the client cannot take the files: {text}")
        raise StreamTerminatedError("the client stopped taking files before their end")

    async def _answer(self) -> None:
        while (number := await self._asked.get()) is not None:
            pieces = _contents(*self._files.pop(number))
            while batch := await in_thread(lambda pieces=pieces: list(islice(pieces, _AT_ONCE))):  # type: ignore[misc]
                for piece in batch:
                    await self._stream.send_message(Packet(type=Packet.PACKET_DATA, ID=number, data=piece))
            await self._stream.send_message(Packet(type=Packet.PACKET_DATA, ID=number))
        await self._stream.send_message(Packet(type=Packet.PACKET_FIN))


def _contents(root: int, path: bytes) -> Iterator[bytes]:
    folder, _, name = path.rpartition(b"/")
    with trees.closing(trees.open_below(root, folder or b".")) as parent:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    with trees.closing(fd):
        while piece := os.read(fd, _PIECE):
            yield piece


def _named(name: bytes, root: int) -> Iterator[tuple[int, bytes, Stat]]:
    """The entries of a root with their paths in it: as they are sent they are below ``name``."""
    if name:
        yield root, b"", Stat(path=name, mode=go_mode.of(stat.S_IFDIR | 0o755), modTime=0)
    for entry in _walk(root):
        path = entry.path
        if name:
            entry.path = name + b"/" + path
            # a link's target is a path of the same tree
            if entry.linkname and stat.S_ISREG(go_mode.read(entry.mode)):
                entry.linkname = name + b"/" + entry.linkname
        yield root, path, entry


def _walk(root: int) -> Iterator[Stat]:
    """All entries, a folder before what is in it, names in ascending order. No descriptor is held between two of them."""
    first_names: dict[tuple[int, int], bytes] = {}
    pending = [b""]
    while pending:
        path = pending.pop()
        folder, _, name = path.rpartition(b"/")
        if path:
            with trees.closing(trees.open_below(root, folder or b".")) as parent:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if stat.S_ISSOCK(status.st_mode):
                    continue
                yield described(path, name, parent, status, first_names)
            if not stat.S_ISDIR(status.st_mode):
                continue
        with trees.closing(trees.open_below(root, path or b".")) as fd:
            names = sorted(map(os.fsencode, os.listdir(fd)), reverse=True)
        pending += (path + b"/" + name if path else name for name in names)


def described(
    path: bytes,
    name: bytes,
    parent: int,
    status: os.stat_result,
    first_names: dict[tuple[int, int], bytes],
    *,
    attributes: bool = True,
) -> Stat:
    """An entry as BuildKit has it. ``first_names`` are those of files with several, by device and inode."""
    link = b""
    if stat.S_ISLNK(status.st_mode):
        link = os.readlink(name, dir_fd=parent)
    elif stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        first = first_names.setdefault((status.st_dev, status.st_ino), path)
        link = b"" if first == path else first
    device = status.st_rdev if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else 0
    return Stat(
        path=path,
        mode=go_mode.of(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        modTime=status.st_mtime_ns,
        linkname=link,
        devmajor=os.major(device),
        devminor=os.minor(device),
        xattrs=_attributes(parent, name, status) if attributes else [],
    )


def _attributes(parent: int, name: bytes, status: os.stat_result) -> list[Xattr]:
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return []
    with trees.closing(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)) as fd:
        return [Xattr(key=key, value=os.getxattr(fd, key)) for key in map(os.fsencode, os.listxattr(fd)) if kept(key)]
