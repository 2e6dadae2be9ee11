"""The mounts that a container takes from other containers (``--volumes-from``)."""

from __future__ import annotations

import msgspec

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.store.records.containers import MountPoint
from moby_tui.errors import InvalidArgument, NotFound

#: The SELinux letters ask for nothing: what is shared has its label already.
_MODES = frozenset({"", "rw", "ro", "z", "Z"})


def inherited(parts: Parts, sources: list[str]) -> dict[str, MountPoint]:
    """By destination, the binds, volumes and images of the containers named as ``NAME[:ro|rw]``; a later one wins.

    What is read-only there is read-only here, whatever is asked for. Raises ``InvalidArgument``.
    """
    found: dict[str, MountPoint] = {}
    for source in sources:
        name, _, mode = source.partition(":")
        if not name:
            raise InvalidArgument(f"volumes-from specification cannot be empty: {source!r}; write it as NAME or NAME:ro")
        if mode not in _MODES:
            raise InvalidArgument(f'invalid mode for volumes-from: "{mode}"; it is ro or rw')
        try:
            container = parts.get(name)
        except NotFound as error:
            # to docker's command line a status of 404 says that the image is missing, and it pulls it
            raise InvalidArgument(error.message) from None
        for mount in container.mounts:
            if mount.type in ("bind", "volume", "image"):
                found[mount.destination] = msgspec.structs.replace(mount, rw=mount.rw and mode != "ro")
    return found
