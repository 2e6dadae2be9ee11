"""``moby start``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moby_tui.errors import InvalidArgument, NotImplementedYet

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ContainerStartOptions


def start(options: ContainerStartOptions, containers: list[str]) -> int:
    """``moby start``."""
    from moby_tui.cli import session

    if options.checkpoint or options.checkpoint_dir:
        raise NotImplementedYet("option --checkpoint")
    if not options.attach and not options.interactive:
        return _start_each(containers)
    if len(containers) != 1:
        own = "only one container can be attached: leave out -a and -i to start several"
        raise InvalidArgument(session.phrase(own, "you cannot start and attach multiple containers at once"))
    return session.call(
        lambda client: _start_attached(client, containers[0], interactive=options.interactive, detach_keys=options.detach_keys)
    )


def _start_each(containers: list[str]) -> int:
    from moby_tui.cli import session

    failed: list[str] = []
    status = session.call_each(containers, lambda client, ref: client.containers.start(ref), failed=failed)
    if failed and session.program() == "docker":
        print(f"Error: failed to start containers: {', '.join(failed)}", file=sys.stderr)
    return status


async def _start_attached(client: Client, ref: str, *, interactive: bool, detach_keys: str) -> int:
    from moby_tui.cli.foreground import Foreground, follow, require_terminal

    container = await client.containers.inspect(ref)
    stdin = interactive and container.config.open_stdin
    require_terminal(tty=container.config.tty, stdin=stdin)
    plan = Foreground(
        container=container.id,
        tty=container.config.tty,
        condition="removed" if container.host_config.auto_remove else "next-exit",
        stdin=stdin,
        detach_keys=detach_keys,
    )
    return await follow(client, plan, lambda: client.containers.start(container.id))
