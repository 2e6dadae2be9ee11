"""The options of Docker that this engine does not have yet. Each is refused by its name, so that none is silently without effect.

A client sends every field; a field with its zero value was not set by the user.
"""

from __future__ import annotations

from moby_tui.errors import NotImplementedYet
from moby_tui.schema.container import ContainerCreate, HostConfig

#: For each field of the configuration that has no effect here, the option that sets it.
_HOST = {
    "cgroup": "--cgroup",
}


def refuse(asked: ContainerCreate) -> None:
    """Raises ``NotImplementedYet`` for the first option that the request sets and this engine lacks."""
    host: HostConfig = asked.host_config
    for name, option in _HOST.items():
        if getattr(host, name):
            raise NotImplementedYet(f"option {option}")
