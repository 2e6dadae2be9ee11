"""Secrets of plain containers: ours, not Docker's, whose ``/secrets`` are a swarm's."""

from __future__ import annotations

from moby_tui.api.operations.secrets import Secrets
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable

table = RouteTable(Secrets, plain)
