"""From what a person wrote after ``--host`` to an engine to talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.engine_options import EngineOptions, settled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moby_tui.api.client.protocol import Client
    from moby_tui.api.client.tls import Tls


def connect(
    host: str = "",
    *,
    tls: Tls | None = None,
    options: EngineOptions | None = None,
    data_root: Path | str | None = None,
    exec_root: Path | str | None = None,
    hooks_dirs: Sequence[Path | str] = (),
    signature_policy: Path | str | None = None,
) -> Client:
    """The engine in this process (``""``), or the one that listens at ``unix:///path`` or ``tcp://host:port``, or that ssh(1) reaches
    at ``ssh://user@host``. ``tls`` is for tcp.

    ``options`` are those of the engine in this process. The other keywords are fields of them, and stand in their place.
    Use as ``async with connect(host) as client``. Raises ``InvalidArgument`` for a host that is none, and for options with a host:
    that engine has its own. Entering raises ``Unavailable`` if nobody answers.
    """
    keywords = {
        "data_root": data_root,
        "exec_root": exec_root,
        "hooks_dirs": tuple(hooks_dirs),
        "signature_policy": signature_policy,
    }
    if not host:
        from moby_tui.engine.engine import Engine

        return Engine(settled(options, **keywords))
    settled(options or EngineOptions(), **keywords).check_in_process(host)
    from moby_tui.api.client.address import parse_host
    from moby_tui.api.client.http import HttpClient

    return HttpClient(parse_host(host, tls))
