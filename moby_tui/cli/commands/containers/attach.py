"""``moby attach``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.errors import Conflict

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command("attach")
def attach(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    detach_keys: Annotated[
        str,
        typer.Option(
            "--detach-keys", help="Override the key sequence for detaching a container", metavar="string", show_default=False
        ),
    ] = "",
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help="Do not attach STDIN")] = False,
    sig_proxy: Annotated[
        bool, typer.Option("--sig-proxy/--no-sig-proxy", help="Proxy all received signals to the process")
    ] = True,
) -> int:
    """Attach local standard input, output, and error streams to a running container."""
    from moby_tui.cli import session

    return session.call(
        lambda client: _attach(client, container, detach_keys=detach_keys, stdin=not no_stdin, sig_proxy=sig_proxy)
    )


async def _attach(client: Client, ref: str, *, detach_keys: str, stdin: bool, sig_proxy: bool) -> int:
    from moby_tui.cli.foreground import Foreground, follow, require_terminal

    container = await client.containers.inspect(ref)
    if not container.state.running:
        raise Conflict(f"cannot attach to container {ref}: it is not running; start it with moby start -a")
    if container.state.paused:
        raise Conflict(f"cannot attach to container {ref}: it is paused; unpause it first")
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
