"""``moby update``."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.run import UpdateOptions


def update(options: UpdateOptions, containers: list[str]) -> int:
    """``moby update``."""
    from moby_tui.cli import session
    from moby_tui.cli.configuration import port_changes, update_request
    from moby_tui.errors import InvalidArgument
    from moby_tui.schema.container import ContainerUpdate

    request, changes = update_request(options), port_changes(options)
    others = request != ContainerUpdate() or bool(options.kernel_memory)
    if not others and changes is None:
        text = "you must provide one or more flags when using this command"
        raise InvalidArgument(session.phrase(f"{text}: moby update --help lists them", text))

    warnings: list[str] = []

    async def change(client: Client, ref: str) -> None:
        if changes is not None:
            await client.containers.change_ports(ref, changes)
            if not others:
                return
        warnings.extend((await client.containers.update(ref, request)).warnings)

    status = session.call_each(containers, change)
    for warning in warnings:
        # docker prints them behind the names, on standard output
        print(warning, file=sys.stdout) if session.program() == "docker" else print(f"WARNING: {warning}", file=sys.stderr)
    return status
