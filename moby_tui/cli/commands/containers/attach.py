"""``moby attach``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.errors import Conflict

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ContainerAttachOptions


def attach(options: ContainerAttachOptions, container: str) -> int:
    """``moby attach``."""
    from moby_tui.cli import session

    return session.call(
        lambda client: _attach(
            client, container, detach_keys=options.detach_keys, stdin=not options.no_stdin, sig_proxy=options.sig_proxy
        )
    )


async def _attach(client: Client, ref: str, *, detach_keys: str, stdin: bool, sig_proxy: bool) -> int:
    from moby_tui.cli import session
    from moby_tui.cli.foreground import Foreground, follow, require_terminal

    session.require_name(ref)
    container = await client.containers.inspect(ref)
    if not container.state.running:
        own = f"cannot attach to container {ref}: it is not running; start it with moby start -a"
        raise Conflict(session.phrase(own, "You cannot attach to a stopped container, start it first"))
    if container.state.paused:
        own = f"cannot attach to container {ref}: it is paused; unpause it first"
        raise Conflict(session.phrase(own, "You cannot attach to a paused container, unpause it first"))
    stdin = stdin and container.config.open_stdin
    require_terminal(tty=container.config.tty, stdin=stdin)
    plan = Foreground(
        container=container.id,
        tty=container.config.tty,
        condition="not-running",
        stdin=stdin,
        detach_keys=detach_keys,
        sig_proxy=sig_proxy,
    )
    return await follow(client, plan, _already_running)


async def _already_running() -> None:
    return None
