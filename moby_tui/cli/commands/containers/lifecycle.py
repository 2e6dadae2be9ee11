"""What changes a container's state: stop, restart, kill, pause, unpause, rename, rm, wait."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import MobyError, NotFound

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


def rename(options: Options, container: str, new_name: str) -> None:
    """``moby rename``."""
    session.call(lambda client: client.containers.rename(container, new_name))


def rm(options: RemoveOptions, containers: list[str]) -> int:
    """``moby rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(containers, lambda look, ref: look.container(ref, options), missing_ok=options.force)

    async def remove(client: Client, ref: str) -> None:
        try:
            if options.link:
                await client.containers.remove_link(ref)
            else:
                await client.containers.remove(ref, force=options.force, volumes=options.volumes)
        except NotFound:
            if not options.force:
                raise
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
