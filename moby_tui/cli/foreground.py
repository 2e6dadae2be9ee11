"""A container in the caller's foreground: attach, wait, start, and its exit code as ours."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

import msgspec

from moby_tui.cli import session
from moby_tui.cli.terminal.attachment import Attachment
from moby_tui.cli.terminal.signals import forwarded, own_terminal
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.container import AttachOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.detach_keys import DetachKeys


class Foreground(msgspec.Struct, frozen=True):
    """How a container is attached. ``condition`` is the wait's: ``next-exit``, ``removed`` or ``not-running``."""

    container: str
    tty: bool
    condition: str
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    detach_keys: str = ""
    sig_proxy: bool = True


def require_terminal(*, tty: bool, stdin: bool) -> None:
    """Raises ``InvalidArgument`` if a terminal's input is wanted and the caller has none."""
    if tty and stdin and not os.isatty(0):
        own = "cannot attach standard input to a terminal: the input device is not a TTY; leave out -t"
        raise InvalidArgument(session.phrase(own, "the input device is not a TTY"))


def _signals(client: Client, plan: Foreground) -> AbstractContextManager[None]:
    """How signals to this process are handled while the container has the foreground."""

    async def resize(height: int, width: int) -> None:
        await client.containers.resize(plan.container, height=height, width=width)

    async def send(name: str) -> None:
        await client.containers.kill(plan.container, signal=name)

    if plan.tty and plan.stdin:
        return own_terminal(resize)
    return forwarded(send) if plan.sig_proxy else nullcontext()


async def follow(client: Client, plan: Foreground, start: Callable[[], Awaitable[None]]) -> int:
    """Attaches, waits, starts and stays until the container has exited; its exit code, or 0 if the caller left it running.

    Because of this order neither the first byte nor the exit is missed.
    """
    detach_keys, detach = _detaching(plan)
    options = AttachOptions(stdin=plan.stdin, stdout=plan.stdout, stderr=plan.stderr, detach_keys=detach_keys)
    stream = await client.containers.attach(plan.container, options)
    try:
        waiting = await client.containers.wait(plan.container, condition=plan.condition)
        try:
            with _signals(client, plan):
                await start()
                if plan.tty:
                    await _resize(client, plan.container)
                if await Attachment(stream, stdin=plan.stdin, detach=detach).run():
                    return 0
            exit = await waiting.result()
        finally:
            await waiting.close()
    finally:
        stream.close()
    if exit.error is not None:
        raise MobyError(exit.error.message)
    return exit.status_code


def _detaching(plan: Foreground) -> tuple[str, DetachKeys | None]:
    """The keys that leave the container running, and what watches the input for them. Raises ``InvalidArgument`` for invalid keys."""
    if not plan.tty and not plan.detach_keys:
        return "", None
    from moby_tui.cli.terminal.detach import configured_keys, detach_keys

    keys = configured_keys(plan.detach_keys) if plan.tty else plan.detach_keys
    return keys, detach_keys(keys, "unable to upgrade to tcp, received 400")


async def _resize(client: Client, container: str) -> None:
    """Gives the container's terminal the caller's size; a container that has ended is no error."""
    from moby_tui.cli.terminal import raw

    size = raw.size()
    if size is None:
        return
    try:
        await client.containers.resize(container, height=size[0], width=size[1])
    except MobyError:
        return
