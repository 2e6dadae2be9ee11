"""An engine's end of its launcher: orders go out, the containers' pids come back."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.runtime import launcher
from moby_tui.engine.runtime.monitor_client import checked
from moby_tui.engine.runtime.order import Order
from moby_tui.errors import MobyError


class Launcher:
    """This engine's launcher. Orders go out one at a time; each answer comes on a socket of its own.

    ``on_news`` is called whenever a monitor that was started here has published something of its container's end.
    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._socket: socket.socket | None = None
        self._on_news = on_news
        self._monitors: set[socket.socket] = set()

    async def start(self, order: Order, path: Path, descriptors: list[int]) -> int:
        """Has a monitor forked for the order; returns the container's pid. Raises what the start failed with."""
        message = json.dumps({"order": order.values()}).encode()
        if len(message) > launcher.MAX_ORDER:
            path.write_bytes(message)
            message = json.dumps({"file": str(path)}).encode()
        fault.point("launcher.order written")
        ours, theirs = socket.socketpair()
        try:
            self._send(message, [theirs.fileno(), *descriptors])
        finally:
            theirs.close()
        fault.point("launcher.order sent")
        try:
            pid = await _answer(ours, order.attributes.get("name", order.id))
        except BaseException:
            ours.close()
            raise
        self._listen(ours)
        return pid

    def _listen(self, monitor: socket.socket) -> None:
        """The journal tells everybody what happened; this tells us at once that it is worth a look."""
        loop = asyncio.get_running_loop()
        self._monitors.add(monitor)

        def news() -> None:
            try:
                data = monitor.recv(64)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                loop.remove_reader(monitor)
                self._monitors.discard(monitor)
                monitor.close()
            self._on_news()

        loop.add_reader(monitor, news)
        # the end of a short one may have come with the answer
        self._on_news()

    async def make_user_namespace(self, uids: IdMap, gids: IdMap, *joined: int) -> tuple[int, int]:
        """Descriptors of a new user namespace with these maps, or of the one that is given, and of a network namespace in it."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                message = json.dumps({"userns": {"uids": uids, "gids": gids}}).encode()
                self._send(message, [theirs.fileno(), *joined])
            data, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 65536, 2)
        for fd in descriptors:
            os.set_inheritable(fd, False)
        if len(descriptors) != 2:
            raise MobyError(json.loads(data)["error"] if data else "the launcher was killed while making a user namespace")
        return descriptors[0], descriptors[1]

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        if self._socket is not None:
            try:
                socket.send_fds(self._socket, [message], descriptors)
                return
            except OSError:
                # the launcher was killed: make another
                self._socket.close()
        self._socket = launcher.connect()
        socket.send_fds(self._socket, [message], descriptors)

    def close(self) -> None:
        """Ends the launcher; the monitors live on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for monitor in self._monitors:
            asyncio.get_running_loop().remove_reader(monitor)
            monitor.close()
        self._monitors.clear()


async def _answer(connection: socket.socket, name: str) -> int:
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    data = b""
    while not data.endswith(b"\n"):
        piece = await loop.sock_recv(connection, 65536)
        if not piece:
            raise MobyError(f"the monitor of container {name} died while starting it; see its monitor.err")
        data += piece
    # a container that has ended already may have been told of behind the answer
    return int(checked(json.loads(data.partition(b"\n")[0])).get("pid", 0))
