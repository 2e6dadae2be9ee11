"""``moby run``."""

from __future__ import annotations

import os

from moby_tui.errors import MobyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.run import RunOptions
    from moby_tui.schema.container import ContainerCreate

#: Descriptors that a run with --rm holds back for the removal.
_HELD_BACK = 4


def run(options: RunOptions, image: str, words: list[str]) -> int:
    """``moby run``."""
    from moby_tui.cli import session
    from moby_tui.cli.commands.containers.create import check, refusals
    from moby_tui.cli.configuration import create_request
    from moby_tui.cli.foreground import require_terminal

    with refusals("run"):
        check(options, is_detached=options.detach)
        session.require_no_trust(options)
        request = create_request(options, image, words, detached=options.detach)
    # as with docker, its exit code is that of start and exec
    require_terminal(tty=options.tty, stdin=request.attach_stdin)
    with refusals("run"):
        return session.call(lambda client: _run(client, options, request))


async def _run(client: Client, options: RunOptions, request: ContainerCreate) -> int:
    from moby_tui.cli.commands.containers.create import create_container

    # a creation needs fewer descriptors than a removal: where no more can be opened, what could not be started is removed with these
    held_back = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_HELD_BACK)] if options.rm else []
    try:
        container = await create_container(client, options, request)
        try:
            return await _follow(client, options, request, container)
        except (MobyError, OSError, RuntimeError):
            if options.rm:
                _close(held_back)
                await _remove(client, container)
            raise
    finally:
        _close(held_back)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


async def _remove(client: Client, container: str) -> None:
    """Removes a container of ``--rm`` that could not be started; one that runs is removed by its monitor."""
    try:
        await client.containers.remove(container, volumes=True)
    except (MobyError, OSError, RuntimeError):
        return


async def _follow(client: Client, options: RunOptions, request: ContainerCreate, container: str) -> int:
    from moby_tui.cli.foreground import Foreground, follow

    if options.detach:
        await client.containers.start(container)
        print(container)
        return 0
    plan = Foreground(
        container=container,
        tty=request.tty,
        condition="removed" if options.rm else "next-exit",
        stdin=request.attach_stdin,
        stdout=request.attach_stdout,
        stderr=request.attach_stderr,
        detach_keys=options.detach_keys,
        sig_proxy=options.sig_proxy,
    )
    return await follow(client, plan, lambda: client.containers.start(container))
