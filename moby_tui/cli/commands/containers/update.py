"""``moby update``."""

from __future__ import annotations

import sys

from moby_tui.cli.declare import Argument, command
from moby_tui.cli.options import UpdateOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client


@command("update", UpdateOptions, Argument("containers", "CONTAINER [CONTAINER...]", many=True))
def update(options: UpdateOptions, containers: list[str]) -> int:
    """Update configuration of one or more containers."""
    from moby_tui.cli import session
    from moby_tui.cli.configuration import update_request

    request = update_request(options)

    async def change(client: Client, ref: str) -> None:
        for warning in (await client.containers.update(ref, request)).warnings:
            print(f"WARNING: {warning}", file=sys.stderr)

    return session.call_each(containers, change)
