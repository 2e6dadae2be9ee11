"""``moby start``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command("start")
def start(
    containers: Annotated[list[str], typer.Argument(metavar="CONTAINER...", show_default=False)],
    attach: Annotated[bool, typer.Option("-a", "--attach", help="Attach STDOUT/STDERR and forward signals")] = False,
    interactive: Annotated[bool, typer.Option("-i", "--interactive", help="Attach container's STDIN")] = False,
    detach_keys: Annotated[
        str,
        typer.Option(
            "--detach-keys", help="Override the key sequence for detaching a container", metavar="string", show_default=False
        ),
    ] = "",
) -> int:
    """Start one or more stopped containers."""
    from moby_tui.cli import session

    if not attach and not interactive:
        return session.call_each(containers, lambda client, ref: client.containers.start(ref))
    if len(containers) != 1:
        raise InvalidArgument("only one container can be attached: leave out -a and -i to start several")
    return session.call(lambda client: _start_attached(client, containers[0], interactive=interactive, detach_keys=detach_keys))


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
