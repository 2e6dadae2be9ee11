"""How the name server is started, for those who must not import it."""

from __future__ import annotations

MODULE = "moby_tui.engine.resources.networks.names.server"
#: How the frozen program, which has no ``-m``, is told to be a name server.
COMMAND = "__names__"
