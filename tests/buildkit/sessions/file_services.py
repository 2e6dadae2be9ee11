"""A client's file services in Python: with our own sender and receiver at its end, or with packets as a test lists them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.session.files.receiving import _Receiving
from moby_tui.api.buildkit.session.files.sending import _Sending
from moby_tui.api.buildkit.session.files.tree import Tree
from moby_tui.api.buildkit.wire import filesync_pb2
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet

SYNC = filesync_pb2.DESCRIPTOR.services_by_name["FileSync"]
SEND = filesync_pb2.DESCRIPTOR.services_by_name["FileSend"]


class FileSync:
    """Sends the folder ``context``. ``sent`` counts the packets of each type of the last call, ``metadata`` is what came with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def diff_copy(self, stream: Any) -> None:
        self.sent: dict[int, int] = {}
        self.metadata = stream.metadata
        if stream.metadata["dir-name"] != "context":
            raise GRPCError(Status.NOT_FOUND, f"no access allowed to dir {stream.metadata['dir-name']!r}")
        root = os.open(self.folder, os.O_RDONLY)
        try:
            await _Sending(cast(Any, _Counting(stream, self.sent)), [(b"", root)]).run()
        finally:
            os.close(root)


class _Counting:
    def __init__(self, stream: Any, counts: dict[int, int]) -> None:
        self.stream, self.counts = stream, counts

    async def send_message(self, packet: Packet) -> None:
        self.counts[packet.type] = self.counts.get(packet.type, 0) + 1
        await self.stream.send_message(packet)

    def __aiter__(self) -> Any:
        return self.stream.__aiter__()


class Scripted:
    """Sends these packets, whatever is asked, and reads on until the caller ends the call."""

    def __init__(self, packets: Iterable[Packet], *, ends: bool = False) -> None:
        self.packets, self.ends = packets, ends

    async def diff_copy(self, stream: Any) -> None:
        for packet in self.packets:
            await stream.send_message(packet)
        if not self.ends:
            async for _ in stream:
                pass


class FileSend:
    """Takes a tree into ``into``, as the client of a ``local`` output does."""

    def __init__(self, into: Path) -> None:
        self.into = into

    async def diff_copy(self, stream: Any) -> None:
        self.metadata = stream.metadata
        root = os.open(self.into, os.O_RDONLY)
        try:
            with Tree(root) as tree:
                await _Receiving(cast(Any, _Packets(stream)), tree, None).run()
        finally:
            os.close(root)


class _Packets:
    """The service's messages are its own, and for a tree their bytes are packets; here with what the daemon's end of a call has."""

    _recv_initial_metadata_done = True

    def __init__(self, stream: Any) -> None:
        self._call = stream
        self._stream = self
        self._wrapper = nullcontext()

    async def arrived(self) -> Any:
        return await self._call._stream.arrived()

    async def send_data(self, data: bytes) -> None:
        if not self._call._send_initial_metadata_done:
            await self._call.send_initial_metadata()
        await self._call._stream.send_data(data)


class FileTarget:
    """Takes one file, as the client of a ``tar`` output does; refuses it if it has one."""

    def __init__(self) -> None:
        self.data: bytes | None = None

    async def diff_copy(self, stream: Any) -> None:
        self.metadata = stream.metadata
        if self.data is not None:
            raise GRPCError(Status.ALREADY_EXISTS, "target already exists")
        self.data = b"".join([message.data async for message in stream])
