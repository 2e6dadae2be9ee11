"""Which image was built on which: told by the layers and the lines of history that both begin with."""

from __future__ import annotations

from moby_tui.engine.store.records import images as kept
from moby_tui.schema import oci

_Config = oci.ImageConfig | kept.ImageConfig
#: What two lines of history must have in common: the instruction, and whether it made a layer.
_Line = tuple[str, bool]


def is_built_on(config: _Config, below: _Config) -> bool:
    """True if an image begins with all layers and lines of history of ``below``; also for ``below`` itself."""
    layers, expected = below.rootfs.diff_ids, lines(below)
    return config.rootfs.diff_ids[: len(layers)] == layers and lines(config)[: len(expected)] == expected


def lines(config: _Config) -> list[_Line]:
    """The history, with an empty line for each layer that it leaves out, as a build on top of the image adds it."""
    return [(entry.created_by, entry.empty_layer) for entry in config.history] + [("", False)] * layers_without_history(config)


def layers_without_history(config: _Config) -> int:
    """The number of layers that the history leaves out. History is optional; its lines that are not empty are the layers (OCI image
    specification, config.md)."""
    return max(len(config.rootfs.diff_ids) - sum(not entry.empty_layer for entry in config.history), 0)
