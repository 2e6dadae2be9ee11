"""From what a person wrote after ``--host`` to an engine to talk to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client


def connect(
    host: str = "",
    *,
    data_root: Path | str | None = None,
    exec_root: Path | str | None = None,
    hooks_dirs: Sequence[Path | str] = (),
    signature_policy: Path | str | None = None,
) -> Client:
    """The engine in this process (``""``), or the one that listens at ``unix:///path`` or ``tcp://host:port``.

    ``hooks_dirs`` are folders of OCI hook files, and ``signature_policy`` is what images are held against, for the engine in this
    process only. Use as ``async with connect(host) as client``. Raises ``InvalidArgument`` for a host that is none; entering raises
    ``Unavailable`` where nobody answers.
    """
    if not host:
        from moby_tui.engine.engine import Engine

        engine = Engine.open(data_root, exec_root)
        engine.hooks_dirs = [Path(folder).absolute() for folder in hooks_dirs]
        engine.signature_policy = Path(signature_policy).absolute() if signature_policy else None
        return cast("Client", engine)
    if hooks_dirs:
        raise InvalidArgument("hooks are run by the engine that starts the container: give --hooks-dir to its moby daemon")
    if signature_policy:
        raise InvalidArgument(
            "the engine that pulls holds images against its own policy: give --signature-policy to its moby daemon"
        )
    from moby_tui.api.client.address import parse_host
    from moby_tui.api.client.http import HttpClient

    return HttpClient(parse_host(host))
