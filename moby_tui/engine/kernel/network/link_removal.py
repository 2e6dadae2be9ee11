"""Deleting a network interface without waiting for what the kernel does after it is gone.

When an interface is deleted the kernel takes it out of all lists, tells everybody (RTM_DELLINK), lets its own lock go, and then holds
the caller until nothing in the kernel refers to the interface any more, which takes a grace period (RCU) more. Nobody can see the
interface by then.
"""

from __future__ import annotations

import _thread
import errno
import os
import socket

from moby_tui.engine.kernel.network import rtnetlink
from moby_tui.engine.kernel.network.netlink import NETLINK_ROUTE, messages, open_socket, request, subscribe
from moby_tui.engine.kernel.readiness import wait_readable

_RECEIVE = 1 << 16


class _Deletion:
    """The request, on a thread that the kernel holds to the end. ``ended`` can be read after that; ``error`` is what it failed with."""

    def __init__(self, link: socket.socket, name: str) -> None:
        self.error: OSError | None = None
        self.ended, self._tell = os.pipe2(os.O_CLOEXEC)
        self._link, self._name = link, name
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            # the kernel refuses to start another thread: the caller waits instead
            self._run()

    def _run(self) -> None:
        with self._link:
            try:
                request(self._link, rtnetlink.delete_link(self._name))
            except OSError as error:
                self.error = error
            finally:
                os.close(self._tell)


def delete_link(name: str) -> None:
    """Deletes an interface of this thread's network namespace, and returns when it is gone for everybody.

    Raises ``OSError``: ENODEV if there is none.
    """
    try:
        index = socket.if_nametoindex(name)
    except OSError as error:
        # this function's error has no number
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name) from error
    with subscribe(NETLINK_ROUTE, rtnetlink.LINK_CHANGES) as news, open_socket(NETLINK_ROUTE) as asking:
        deletion = _Deletion(open_socket(NETLINK_ROUTE), name)
        try:
            while deletion.ended not in wait_readable(news.fileno(), deletion.ended):
                if _tells_deletion(news, index):
                    _await_lock(asking, name)
                    return
        finally:
            os.close(deletion.ended)
        if deletion.error is not None:
            raise deletion.error


def _tells_deletion(news: socket.socket, index: int) -> bool:
    try:
        received = news.recv(_RECEIVE, socket.MSG_DONTWAIT)
    except OSError as error:
        # ENOBUFS: some of it was lost, of which the deletion may be a part; then its end is waited for
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):
            return False
        raise
    return any(rtnetlink.deleted_link(kind, body) == index for kind, _, body in messages(received))


def _await_lock(asking: socket.socket, name: str) -> None:
    """Asks for the interface, which the kernel answers under its lock: then all is done that is done before that is let go."""
    try:
        request(asking, rtnetlink.get_link(name))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
