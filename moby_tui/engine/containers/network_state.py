"""The network state of a running container: written by the engine that starts it or changes its networks, read by every engine."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import NetworkState


def write_network(files: ContainerPaths, network: NetworkState) -> None:
    (files.run / "network.json").write_bytes(msgspec.json.encode(network))


def read_network(files: ContainerPaths) -> NetworkState:
    """The network state of a container; an empty one if it has never run."""
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode((files.run / "network.json").read_bytes(), type=NetworkState)
    return NetworkState({}, {})
