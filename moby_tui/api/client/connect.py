"""From what a person wrote after ``--host`` to an engine to talk to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client


def connect(host: str = "", *, data_root: Path | str | None = None, exec_root: Path | str | None = None) -> Client:
    """The engine in this process (``""``), or the one that listens at ``unix:///path`` or ``tcp://host:port``.

    Use as ``async with connect(host) as client``. Raises ``InvalidArgument`` for a host that is none; entering raises
    ``Unavailable`` where nobody answers.
    """
    if not host:
        from moby_tui.engine.engine import Engine

        return cast("Client", Engine.open(data_root, exec_root))
    from moby_tui.api.client.address import parse_host
    from moby_tui.api.client.http import HttpClient

    return HttpClient(parse_host(host))
