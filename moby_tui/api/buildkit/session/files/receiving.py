"""A tree that a client sends: the call moby.filesync.v1.FileSync/DiffCopy.

Two tasks, so that none waits for another's peer: one reads packets and hands them to the disk in a thread, one asks for contents. What a
client may send before it is read is bounded by the window of the call.
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

from moby_tui.api.buildkit.grpc.client import Method, end, receive, send_some
from moby_tui.api.buildkit.grpc.messages import Messages
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.session.files import entry
from moby_tui.api.buildkit.session.files.inventory import Inventory
from moby_tui.api.buildkit.session.files.together import together
from moby_tui.api.buildkit.session.files.tree import Tree
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet
from moby_tui.engine.kernel import trees
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, MobyError

DIFF_COPY = Method("/moby.filesync.v1.FileSync/DiffCopy", Packet, Packet, streaming=True)
#: Bytes of one packet's contents; a client of BuildKit sends 32 KiB.
_MOST_BYTES = 1 << 20
#: Contents that are asked for in one message.
_AT_ONCE = 1000
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


@dataclass(frozen=True)
class Received:
    """``changed`` is True if the folder is another than before; ``inventory`` see ``inventory.py``."""

    changed: bool
    inventory: bytes


async def receive_tree(
    client: Caller, selection: Selection, into: Path, progress: Progress | None = None, inventory: bytes = b""
) -> Received:
    """Makes the folder ``into`` equal to the client's tree; what is the same already does not travel.

    ``inventory`` is that of the last time, if nothing has changed the folder since: while the client sends the same entries, the disk is
    not looked at.
    Nobody else may use the folder meanwhile. If it fails or is cancelled, the folder is somewhere between, and the next call mends it.
    Raises ``NotFound`` for a name that the client does not know, and what ``Tree`` raises.
    """
    with trees.closing(os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root, Tree(root) as tree:
        entries = Inventory(inventory)
        async with client.stream(DIFF_COPY, selection.metadata()) as stream:
            await stream.send_request()
            await _Receiving(stream, tree, progress, entries).run()
            await end(stream)
        return Received(tree.changed, entries.written())


class _Receiving:
    def __init__(
        self, stream: Stream[Packet, Packet], tree: Tree, progress: Progress | None, entries: Inventory | None = None
    ) -> None:
        self._stream = stream
        self._tree = tree
        self._entries = entries or Inventory()
        self._progress = progress
        self._bytes = 0
        self._messages = Messages()
        #: Numbers of files to ask for; None when all have come. Its size is bounded by that of the tree.
        self._asked: asyncio.Queue[list[int] | None] = asyncio.Queue()

    async def run(self) -> None:
        await together(self._take(), self._ask())

    async def _take(self) -> None:
        """Hands packets to the disk, all that have come at once: while the thread works, the event loop has little to do."""
        finished = False
        while not finished:
            data = await receive(self._stream)
            if not data:
                raise StreamTerminatedError("the client stopped sending its files before their end")
            was_complete = self._tree.complete
            if not self._entries.match(data):
                finished = await in_thread(self._apply, self._entries.matched() + data)
            elif self._entries.same:
                self._tree.skip()
            if self._progress and self._bytes:
                self._progress(self._bytes)
            if self._tree.wanted:
                self._asked.put_nowait(self._tree.wanted)
                self._tree.wanted = []
            if self._tree.complete and not was_complete:
                self._asked.put_nowait(None)

    async def _ask(self) -> None:
        while (numbers := await self._asked.get()) is not None:
            for start in range(0, len(numbers), _AT_ONCE):
                part = numbers[start : start + _AT_ONCE]
                await send_some(self._stream, [Packet(type=Packet.PACKET_REQ, ID=number) for number in part])
        await send_some(self._stream, [Packet(type=Packet.PACKET_FIN)])

    def _apply(self, data: bytes) -> bool:
        """Blocking. True if the last packet is the client's last."""
        return any(self._take_packet(packet) for packet in self._messages.take(data))

    def _take_packet(self, data: bytes) -> bool:
        """True if it is the client's last."""
        packet = Packet.FromString(data)
        match packet.type:
            case Packet.PACKET_STAT if packet.HasField("stat"):
                self._tree.add(entry.read(packet.stat))
                self._entries.add(data)
            case Packet.PACKET_STAT:
                self._tree.end()
                self._entries.add(data)
            case Packet.PACKET_DATA if len(packet.data) > _MOST_BYTES:
                raise InvalidArgument(f"the client sends a packet of more than {_MOST_BYTES} bytes")
            case Packet.PACKET_DATA:
                self._bytes += len(packet.data)
                self._tree.write(packet.ID, packet.data)
            case Packet.PACKET_FIN:
                if not self._tree.complete:
                    raise InvalidArgument("the client says that all its files have come, and some have not")
                return True
            case Packet.PACKET_ERR:
                text = " ".join(packet.data.decode("utf-8", "replace").split())[:500]
                raise MobyError(f"the client cannot send its files: {text}")
            case _:
                raise InvalidArgument(f"the client sends a packet of type {packet.type}")
        return False
