"""Delay, loss and a limited rate for what a container sends by one of its interfaces: queueing disciplines (tc-netem(8), tc-tbf(8)).

They are the interface's own, inside of the container's namespace, and go with it.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Any

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.store.records.containers import Shape
from moby_tui.errors import InvalidArgument, MobyError

#: The handles that a root discipline of ours has, in turn: one of another kind does not replace another with the same handle.
_HANDLES = (0x10000000, 0x20000000)
_FIRST_CLASS = 1
#: linux/pkt_sched.h, TC_H_ROOT
_ROOT = 0xFFFFFFFF
#: What may pass at once, in bytes: at least some full frames, or what comes between two ticks of a slow clock (tc-tbf(8)).
_LEAST_BURST, _TICKS = 16 << 10, 100
#: How long a packet waits for its turn before it is dropped.
_LATENCY = "400ms"
_MOST_DELAY = 60_000_000
_LEAST_RATE, _MOST_RATE = 8_000, 34_000_000_000


def check(shape: Shape) -> None:
    """Raises ``InvalidArgument`` for what cannot be."""
    if not 0 <= shape.delay <= _MOST_DELAY or not 0 <= shape.jitter <= _MOST_DELAY:
        raise InvalidArgument("invalid delay or jitter: give a time from 0 to 60s, such as 50ms")
    if shape.jitter > shape.delay:
        raise InvalidArgument("invalid jitter: it varies the delay, and cannot be longer; give --delay too")
    if not 0 <= shape.loss <= 100:
        raise InvalidArgument("invalid loss: give a percentage from 0 to 100, such as 1%")
    if shape.rate and not _LEAST_RATE <= shape.rate <= _MOST_RATE:
        raise InvalidArgument("invalid rate: give bits per second from 8kbit to 34gbit, such as 10mbit")


def apply(namespace: int, interface: str, shape: Shape, before: Shape | None) -> None:
    """Shapes an interface in a namespace so, and no longer as ``before``; where this fails it is as before. Blocks. Raises ``MobyError``."""

    def work() -> None:
        try:
            _apply(interface, shape)
        except MobyError:
            with suppress(MobyError):
                _apply(interface, before or Shape())
            raise

    netns.call(namespace, work)


def _apply(interface: str, shape: Shape) -> None:
    from pyroute2 import IPRoute

    try:
        index = socket.if_nametoindex(interface)
    except OSError as error:
        raise MobyError(f"the container has no interface {interface}") from error
    with IPRoute() as ip:
        old = _root(ip, index)
        handle = _HANDLES[1] if old == _HANDLES[0] else _HANDLES[0]
        if shape.delay or shape.jitter or shape.loss:
            _do("netem", ip, "replace", index, handle=handle, delay=shape.delay, jitter=shape.jitter, loss=shape.loss)
            if shape.rate:
                _do(
                    "tbf", ip, "add", index, parent=handle | _FIRST_CLASS, handle=_HANDLES[1] | _HANDLES[0], **_bucket(shape.rate)
                )
        elif shape.rate:
            _do("tbf", ip, "replace", index, handle=handle, **_bucket(shape.rate))
        elif old in _HANDLES:
            _do("", ip, "del", index, parent=_ROOT)


def _root(ip: Any, index: int) -> int:
    """The handle of the root discipline; 0 for the kernel's own."""
    handles = [one["handle"] for one in ip.get_qdiscs(index) if one["parent"] == _ROOT]
    return int(handles[0]) if handles else 0


def _bucket(rate: int) -> dict[str, object]:
    bytes_a_second = rate // 8
    return {"rate": bytes_a_second, "burst": max(_LEAST_BURST, bytes_a_second // _TICKS), "latency": _LATENCY}


def _do(kind: str, ip: Any, action: str, index: int, **options: object) -> None:
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        ip.tc(action, *([kind] if kind else []), index=index, **options)
    except NetlinkError as error:
        if error.code == errno.ENOENT and kind:
            needed = {"netem": "--delay, --jitter and --loss need", "tbf": "--rate needs"}[kind]
            raise MobyError(
                f"this kernel has no queueing discipline {kind}, which {needed}: load the module sch_{kind}"
            ) from error
        raise MobyError(f"cannot shape the interface: {os.strerror(error.code).lower()}") from error
