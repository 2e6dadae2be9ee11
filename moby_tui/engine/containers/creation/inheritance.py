"""The mounts that a container takes from other containers (``--volumes-from``)."""

from __future__ import annotations

import msgspec

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.store.records.containers import MountPoint
from moby_tui.errors import InvalidArgument, NotFound

#: ``z`` and ``Z`` have no effect: the mount has its SELinux label already.
_MODES = frozenset({"", "rw", "ro", "z", "Z"})


def inherited(parts: Parts, sources: list[str]) -> tuple[dict[str, MountPoint], set[str]]:
    """The binds, volumes and images of other containers, by destination, and the names of the anonymous volumes among them.

    ``sources`` are written ``NAME[:ro|rw]``; a later one wins. A mount that is read-only in the other container stays read-only. Raises
    ``InvalidArgument``.
    """
    mounts: dict[str, MountPoint] = {}
    anonymous: set[str] = set()
    for source in sources:
        name, _, mode = source.partition(":")
        if not name:
            raise InvalidArgument("volumes-from specification cannot be an empty string")
        if mode not in _MODES:
            raise InvalidArgument(f"invalid mode: {mode}")
        try:
            container = parts.get(name)
        except NotFound as error:
            # not 404: docker's command line takes that for a missing image, and pulls the image
            raise InvalidArgument(error.message) from None
        anonymous.update(container.anonymous_volumes)
        for mount in container.mounts:
            if mount.type in ("bind", "volume", "image"):
                mounts[mount.destination] = msgspec.structs.replace(mount, rw=mount.rw and mode != "ro")
    return mounts, anonymous
