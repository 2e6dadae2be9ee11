"""What changes a container's state: stop, restart, kill, pause, unpause, rename, rm, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import MobyError, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()

Refs = Annotated[list[str], typer.Argument(metavar="CONTAINER...", show_default=False)]
Signal = Annotated[
    str, typer.Option("-s", "--signal", help="Signal to send to the container", metavar="string", show_default=False)
]
Timeout = Annotated[
    int | None,
    typer.Option(
        "-t", "--timeout", "--time", help="Seconds to wait before killing the container", metavar="int", show_default=False
    ),
]


@app.command("stop")
def stop(containers: Refs, signal: Signal = "", timeout: Timeout = None) -> int:
    """Stop one or more running containers."""
    return session.call_each(containers, lambda client, ref: client.containers.stop(ref, timeout=timeout, signal=signal))


@app.command("restart")
def restart(containers: Refs, signal: Signal = "", timeout: Timeout = None) -> int:
    """Restart one or more containers."""
    return session.call_each(containers, lambda client, ref: client.containers.restart(ref, timeout=timeout, signal=signal))


@app.command("kill")
def kill(containers: Refs, signal: Signal = "KILL") -> int:
    """Kill one or more running containers."""
    return session.call_each(containers, lambda client, ref: client.containers.kill(ref, signal=signal))


@app.command("pause")
def pause(containers: Refs) -> int:
    """Pause all processes within one or more containers."""
    return session.call_each(containers, lambda client, ref: client.containers.pause(ref))


@app.command("unpause")
def unpause(containers: Refs) -> int:
    """Unpause all processes within one or more containers."""
    return session.call_each(containers, lambda client, ref: client.containers.unpause(ref))


@app.command("rename")
def rename(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", show_default=False)],
) -> None:
    """Rename a container."""
    session.call(lambda client: client.containers.rename(container, new_name))


@app.command("rm")
def rm(
    containers: Refs,
    force: Annotated[bool, typer.Option("-f", "--force", help="Force the removal of a running container (uses SIGKILL)")] = False,
    volumes: Annotated[
        bool, typer.Option("-v", "--volumes", help="Remove anonymous volumes associated with the container")
    ] = False,
) -> int:
    """Remove one or more containers."""

    async def remove(client: Client, ref: str) -> None:
        try:
            await client.containers.remove(ref, force=force, volumes=volumes)
        except NotFound:
            if not force:
                raise
        else:
            print(ref, flush=True)

    return session.call_each(containers, remove, show=False)


@app.command("wait")
def wait(containers: Refs) -> int:
    """Block until one or more containers stop, then print their exit codes."""

    async def exit_code(client: Client, ref: str) -> None:
        waiting = await client.containers.wait(ref)
        try:
            exit = await waiting.result()
        finally:
            await waiting.close()
        if exit.error is not None:
            raise MobyError(exit.error.message)
        print(exit.status_code, flush=True)

    return session.call_each(containers, exit_code, show=False)
