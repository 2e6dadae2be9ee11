"""What changes a container's state: stop, restart, kill, pause, unpause, rename, rm, wait."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.cli.declare import Argument, Options, command, switch, value
from moby_tui.errors import MobyError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

_CONTAINERS = Argument("containers", "CONTAINER...", many=True)


class SignalOptions(Options):
    signal: str = value("-s", "--signal", help="Signal to send to the container")


class StopOptions(SignalOptions):
    timeout: int | None = value(
        "-t", "--timeout", "--time", default=None, metavar="int", help="Seconds to wait before killing the container"
    )


class RemoveOptions(Options):
    force: bool = switch("-f", "--force", help="Force the removal of a running container (uses SIGKILL)")
    volumes: bool = switch("-v", "--volumes", help="Remove anonymous volumes associated with the container")
    link: bool = switch("-l", "--link", help="Remove the specified link")


@command("stop", StopOptions, _CONTAINERS)
def stop(options: StopOptions, containers: list[str]) -> int:
    """Stop one or more running containers."""
    return session.call_each(
        containers, lambda client, ref: client.containers.stop(ref, timeout=options.timeout, signal=options.signal)
    )


@command("restart", StopOptions, _CONTAINERS)
def restart(options: StopOptions, containers: list[str]) -> int:
    """Restart one or more containers."""
    return session.call_each(
        containers, lambda client, ref: client.containers.restart(ref, timeout=options.timeout, signal=options.signal)
    )


@command("kill", SignalOptions, _CONTAINERS)
def kill(options: SignalOptions, containers: list[str]) -> int:
    """Kill one or more running containers."""
    return session.call_each(containers, lambda client, ref: client.containers.kill(ref, signal=options.signal or "KILL"))


@command("pause", Options, _CONTAINERS)
def pause(options: Options, containers: list[str]) -> int:
    """Pause all processes within one or more containers."""
    return session.call_each(containers, lambda client, ref: client.containers.pause(ref))


@command("unpause", Options, _CONTAINERS)
def unpause(options: Options, containers: list[str]) -> int:
    """Unpause all processes within one or more containers."""
    return session.call_each(containers, lambda client, ref: client.containers.unpause(ref))


@command("rename", Options, Argument("container", "CONTAINER"), Argument("new_name", "NEW_NAME"))
def rename(options: Options, container: str, new_name: str) -> None:
    """Rename a container."""
    session.call(lambda client: client.containers.rename(container, new_name))


@command("rm", RemoveOptions, _CONTAINERS)
def rm(options: RemoveOptions, containers: list[str]) -> int:
    """Remove one or more containers, or links to containers (LINKING/ALIAS)."""

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


@command("wait", Options, _CONTAINERS)
def wait(options: Options, containers: list[str]) -> int:
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
