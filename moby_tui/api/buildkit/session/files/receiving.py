"""A tree that a client sends: the call moby.filesync.v1.FileSync/DiffCopy.

Three tasks, so that none waits for another's peer: one reads packets, one hands them to the disk in a thread, one asks for contents.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from grpclib.client import Stream
from grpclib.exceptions import StreamTerminatedError

from moby_tui.api.buildkit.grpc.client import Method, end
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.session.files import entry
from moby_tui.api.buildkit.session.files.together import together
from moby_tui.api.buildkit.session.files.tree import Tree
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet
from moby_tui.engine.kernel import trees
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError

DIFF_COPY = Method("/moby.filesync.v1.FileSync/DiffCopy", Packet, Packet, streaming=True)
#: Bytes of one packet's contents; a client of BuildKit sends 32 KiB.
_MOST_BYTES = 1 << 20
#: Packets that wait for the disk, and that are taken at once.
_WAITING, _AT_ONCE = 64, 64
_FINISHED = None
#: Told the bytes of contents that have come so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Selection:
    """``name`` is the client's name for the tree (``context``, ``dockerfile``). Patterns are those of ``.dockerignore``.

    With ``include`` only what matches travels; ``follow`` are paths that travel with what their symbolic links lead to.
    """

    name: str
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    follow: Sequence[str] = ()

    def metadata(self) -> list[tuple[str, str]]:
        """As headers of the call. A list with a value that cannot be a header is sent in query encoding, and marked."""
        lists = {
            "include-patterns": self.include,
            "exclude-patterns": self.exclude,
            "followpaths": self.follow,
            "dir-name": [self.name],
        }
        headers: list[tuple[str, str]] = []
        for key, values in lists.items():
            if all(value.isascii() and value.isprintable() and value == value.strip() for value in values):
                headers += ((key, value) for value in values)
            else:
                headers += ((key, quote_plus(value, errors="surrogateescape")) for value in values)
                headers.append((f"{key}-encoded", "1"))
        return headers


async def receive(client: Caller, selection: Selection, into: Path, progress: Progress | None = None) -> None:
    """Makes the folder ``into`` equal to the client's tree; what is the same already does not travel.

    Nobody else may use the folder meanwhile. If it fails or is cancelled, the folder is somewhere between, and the next call mends it.
    Raises ``NotFound`` for a name that the client does not know, and what ``Tree`` raises.
    """
    with trees.closing(os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root, Tree(root) as tree:
        async with client.stream(DIFF_COPY, selection.metadata()) as stream:
            await stream.send_request()
            await _Receiving(stream, tree, progress).run()
            await end(stream)


class _Receiving:
    def __init__(self, stream: Stream[Packet, Packet], tree: Tree, progress: Progress | None) -> None:
        self._stream = stream
        self._tree = tree
        self._progress = progress
        self._bytes = 0
        self._packets: asyncio.Queue[Packet] = asyncio.Queue(_WAITING)
        #: Numbers of files to ask for. Its size is bounded by that of the tree.
        self._asked: asyncio.Queue[int | None] = asyncio.Queue()

    async def run(self) -> None:
        await together(self._read(), self._take(), self._ask())

    async def _read(self) -> None:
        async for packet in self._stream:
            match packet.type:
                case Packet.PACKET_FIN:
                    if not self._tree.complete:
                        raise InvalidArgument("the client says that all its files have come, and some have not")
                    return
                case Packet.PACKET_ERR:
                    text = " ".join(packet.data.decode("utf-8", "replace").split())[:500]
                    raise MobyError(f"the client cannot send its files: {text}")
                case Packet.PACKET_STAT | Packet.PACKET_DATA:
                    if len(packet.data) > _MOST_BYTES:
                        raise InvalidArgument(f"the client sends a packet of more than {_MOST_BYTES} bytes")
                    self._bytes += len(packet.data)
                    if self._progress and packet.data:
                        self._progress(self._bytes)
                    await self._packets.put(packet)
                case _:
                    raise InvalidArgument(f"the client sends a packet of type {packet.type}")
        raise StreamTerminatedError("the client stopped sending its files before their end")

    async def _take(self) -> None:
        """Hands packets to the disk until the tree is complete."""
        while not self._tree.complete:
            packets = [await self._packets.get()]
            while len(packets) < _AT_ONCE and not self._packets.empty():
                packets.append(self._packets.get_nowait())
            await in_thread(_apply, self._tree, packets)
            for number in self._tree.wanted:
                self._asked.put_nowait(number)
            self._tree.wanted.clear()
        self._asked.put_nowait(_FINISHED)

    async def _ask(self) -> None:
        while (number := await self._asked.get()) is not _FINISHED:
            await self._stream.send_message(Packet(type=Packet.PACKET_REQ, ID=number))
        await self._stream.send_message(Packet(type=Packet.PACKET_FIN))


def _apply(tree: Tree, packets: list[Packet]) -> None:
    for packet in packets:
        if packet.type == Packet.PACKET_DATA:
            tree.write(packet.ID, packet.data)
        elif packet.HasField("stat"):
            tree.add(entry.read(packet.stat))
        else:
            tree.end()
