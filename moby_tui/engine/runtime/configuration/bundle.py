"""Writes a container's ``config.json``, and what its monitor and its first process read of that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import msgspec

from moby_tui.engine.protocol.configuration import Configuration
from moby_tui.engine.protocol.message import Json


def write(configuration: Configuration, path: Path) -> int:
    """Writes the whole configuration to ``path``; returns a file in memory (memfd_create(2)) with all but the rules of the seccomp filter.

    These are most of it, and those that make the container are given the compiled filter.
    """
    values = configuration.values()
    path.write_bytes(msgspec.json.encode(values))
    cast(Json, values["linux"]).pop("seccomp", None)
    memory = os.memfd_create("config.json", os.MFD_CLOEXEC)
    os.write(memory, msgspec.json.encode(values))
    return memory
