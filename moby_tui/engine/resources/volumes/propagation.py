"""How far mounts below a bind's source reach into its container, and those below its target out of it (mount_namespaces(7))."""

from __future__ import annotations

import json
from pathlib import PurePath

from moby_tui.engine.resources.volumes.requests import MountRequest
from moby_tui.errors import InvalidArgument

_NOT_HELD = ("rslave", "rshared")


def settle(request: MountRequest, data_root: PurePath) -> None:
    """Gives a bind that names no propagation its default: ``rprivate``, and ``rslave`` if its source and the data root lie in each other.

    A private copy of the engine's mounts would hold them for as long as the container runs, so no other kind is taken there. Raises
    ``InvalidArgument``.
    """
    if request.type != "bind":
        return
    source = PurePath(request.source)
    if not (source.is_relative_to(data_root) or data_root.is_relative_to(source)):
        request.propagation = request.propagation or "rprivate"
    elif request.propagation and request.propagation not in _NOT_HELD:
        root, named = json.dumps(str(data_root)), json.dumps(request.source)
        raise InvalidArgument(
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon '
            f'root, daemon root: {root}, bind mount source: {named}, propagation: "{request.propagation}"'
        )
    else:
        request.propagation = request.propagation or "rslave"
