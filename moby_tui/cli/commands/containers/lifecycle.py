"""What changes a container's state: stop, restart, kill, pause, unpause, rename, rm, wait."""

from __future__ import annotations

import sys

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, MobyError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import RemoveOptions, SignalOptions, StopOptions
    from moby_tui.cli.table.declare import Options


def stop(options: StopOptions, containers: list[str]) -> int:
    """``moby stop``."""
    return session.call_each(
        containers, lambda client, ref: client.containers.stop(ref, timeout=options.timeout, signal=options.signal)
    )


def restart(options: StopOptions, containers: list[str]) -> int:
    """``moby restart``."""
    return session.call_each(
        containers, lambda client, ref: client.containers.restart(ref, timeout=options.timeout, signal=options.signal)
    )


def kill(options: SignalOptions, containers: list[str]) -> int:
    """``moby kill``."""
    return session.call_each(containers, lambda client, ref: client.containers.kill(ref, signal=options.signal or "KILL"))


def pause(options: Options, containers: list[str]) -> int:
    """``moby pause``."""
    return session.call_each(containers, lambda client, ref: client.containers.pause(ref))


def unpause(options: Options, containers: list[str]) -> int:
    """``moby unpause``."""
    return session.call_each(containers, lambda client, ref: client.containers.unpause(ref))


def rename(options: Options, container: str, new_name: str) -> int:
    """``moby rename``."""
    if session.program() != "docker":
        session.call(lambda client: client.containers.rename(container, new_name))
        return 0
    if not container.strip() or not new_name.strip():
        raise InvalidArgument("Error: Neither old nor new names may be empty")
    try:
        session.call(lambda client: client.containers.rename(container, new_name))
    except MobyError as error:
        session.tell(error)
        print(f"Error: failed to rename container named {container}", file=sys.stderr)
        return 1
    return 0


def rm(options: RemoveOptions, containers: list[str]) -> int:
    """``moby rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(containers, lambda look, ref: look.container(ref, options), missing_ok=options.force)

    async def remove(client: Client, ref: str) -> None:
        if not ref.strip() and session.program() == "docker":
            raise InvalidArgument("container name cannot be empty")
        try:
            if options.link:
                await client.containers.remove_link(ref)
            else:
                await client.containers.remove(ref, force=options.force, volumes=options.volumes)
        except NotFound as error:
            if not options.force:
                raise
            # as with docker, what is not there is reported, and no failure
            session.tell(error)
        else:
            print(ref, flush=True)

    return session.call_each(containers, remove, show=False)


def wait(options: Options, containers: list[str]) -> int:
    """``moby wait``."""

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
