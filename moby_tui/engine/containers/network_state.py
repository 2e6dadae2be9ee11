"""The networks of a running container as the engine that started it, or changed them, has written them down."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import NetworkState


def write_network(files: ContainerPaths, network: NetworkState) -> None:
    (files.run / "network.json").write_bytes(msgspec.json.encode(network))


def read_network(files: ContainerPaths) -> NetworkState:
    """What a running container was given; nothing where it has not run."""
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode((files.run / "network.json").read_bytes(), type=NetworkState)
    return NetworkState({}, {})
