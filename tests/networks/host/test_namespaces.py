"""Threads and the network namespaces that they enter."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.tasks import in_own_thread


def _inode() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


async def test_a_thread_that_roams_enters_namespaces_itself_and_comes_back() -> None:
    def work() -> tuple[int, list[int], list[int]]:
        home, thread = _inode(), threading.get_ident()
        namespace = netns.create()
        try:
            places = [_inode(), *netns.call(namespace, lambda: [_inode(), os.fstat(namespace).st_ino]), _inode()]
            with pytest.raises(ZeroDivisionError):
                netns.call(namespace, lambda: 1 // 0)
            threads = [thread, netns.call(namespace, threading.get_ident)]
            return home, [*places, _inode()], threads
        finally:
            os.close(namespace)

    home, (made, inside, expected, back, after_error), threads = await in_own_thread(netns.roaming, work)
    assert made == back == after_error == home == _inode()
    assert inside == expected != home
    assert threads[0] == threads[1] != threading.get_ident()
    # what comes later on other threads does not roam
    namespace = await asyncio.to_thread(netns.create)
    try:
        there, here = await asyncio.to_thread(lambda: (netns.call(namespace, threading.get_ident), threading.get_ident()))
        assert there != here
        assert await asyncio.to_thread(_inode) == home
    finally:
        os.close(namespace)
