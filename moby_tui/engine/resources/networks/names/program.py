"""The name server's module, and its command in the frozen program: for monitors, which start it and must not import it."""

from __future__ import annotations

MODULE = "moby_tui.engine.resources.networks.names.server"
#: The first argument with which the frozen program, which has no ``-m``, becomes a name server.
COMMAND = "__names__"
