"""Network namespaces (network_namespaces(7)) held by descriptor.

A thread is in one network namespace. To enter another, a thread is made for the purpose and ends afterwards: a thread that has
changed its namespace must never serve anything else, and the main thread never leaves the host's. Work of several such steps gets one
thread of its own for all of them (``roaming``), since each change of threads costs milliseconds where all processors are busy.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class _Local(threading.local):
    """``roams`` is true on a thread that may itself enter other namespaces."""

    roams = False


_local = _Local()


def create() -> int:
    """Makes a network namespace (unshare(2)), its loopback interface down; returns its descriptor. Raises ``OSError``."""
    return _there_and_back(_unshare) if _local.roams else _Thread(_unshare).result()


def roaming(function: Callable[[], T]) -> T:
    """Runs a function on this thread, which must have been made for it and must end with it.

    Within the function ``create`` and ``call`` make no threads: this one goes to the other namespace and comes back.
    """
    _local.roams = True
    return function()


def on_own_thread(function: Callable[[], T]) -> T:
    """Runs a function that may change its thread's namespaces or identity; the thread ends with it."""
    return _Thread(function).result()


def call(namespace: int, function: Callable[[], T]) -> T:
    """Runs a function on a thread inside the namespace (setns(2)); returns or raises what it does."""
    if _local.roams:
        return _there_and_back(lambda: _enter(namespace, function))
    return _Thread(lambda: _enter(namespace, function)).result()


def _there_and_back(function: Callable[[], T]) -> T:
    """Runs a function that changes this thread's namespace, and returns to the one before. Raises ``OSError``."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            return function()
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET), "return to the former network namespace")
    finally:
        os.close(home)


def _unshare() -> int:
    _check(_libc.unshare(_CLONE_NEWNET), "unshare a network namespace")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(namespace: int, function: Callable[[], T]) -> T:
    _check(_libc.setns(namespace, _CLONE_NEWNET), "enter a network namespace")
    return function()


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


class _Thread(threading.Thread, Generic[T]):
    """Runs one function and ends."""

    def __init__(self, function: Callable[[], T]) -> None:
        super().__init__(name="netns", daemon=True)
        self._function = function
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        self.start()
        self.join()
        if self._error is not None:
            raise self._error
        return self._value
