"""``moby exec``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ExecOptions
    from moby_tui.errors import MobyError
    from moby_tui.schema.exec import ExecCreate


def execute(options: ExecOptions, container: str, words: list[str]) -> int:
    """``moby exec``."""
    from moby_tui.cli import session
    from moby_tui.cli.foreground import require_terminal

    attached_stdin = options.interactive and not options.detach
    require_terminal(tty=options.tty, stdin=attached_stdin)
    session.require_name(container)
    return session.call(lambda client: run_attached(client, options, container, request_of(options, words), stdin=attached_stdin))


def request_of(options: ExecOptions, command: list[str]) -> ExecCreate:
    import os

    from moby_tui.schema.exec import ExecCreate

    attached = not options.detach
    size = detach_keys = None
    if options.tty:
        from moby_tui.cli.terminal import raw
        from moby_tui.cli.terminal.detach import configured_keys

        size, detach_keys = raw.size(), configured_keys(options.detach_keys)
    variables: list[str] = []
    if options.env or options.env_file:
        from moby_tui.cli.values.environment import environment

        variables = environment(options.env, options.env_file, os.environ)
    return ExecCreate(
        attach_stdin=options.interactive and attached,
        attach_stdout=attached,
        attach_stderr=attached,
        tty=options.tty,
        console_size=list(size) if size else None,
        detach_keys=detach_keys or options.detach_keys,
        env=variables or None,
        cmd=command,
        privileged=options.privileged,
        user=options.user,
        working_dir=options.workdir,
    )


async def run_attached(client: Client, options: ExecOptions, container: str, request: ExecCreate, *, stdin: bool) -> int:
    from contextlib import nullcontext

    from moby_tui.cli.terminal.attachment import Attachment
    from moby_tui.cli.terminal.signals import own_terminal
    from moby_tui.errors import MobyError
    from moby_tui.schema.exec import ExecStart

    detach = None
    if request.detach_keys:
        from moby_tui.cli.terminal.detach import detach_keys

        refusal = f"Error response from daemon: Invalid escape keys ({request.detach_keys}) provided"
        detach = detach_keys(request.detach_keys, refusal)
    exec_id = await client.containers.exec_create(container, request)

    async def resize(height: int, width: int) -> None:
        await client.containers.exec_resize(exec_id, height=height, width=width)

    with own_terminal(resize) if options.tty and stdin else nullcontext():
        start = ExecStart(detach=options.detach, tty=options.tty, console_size=request.console_size)
        try:
            stream = await client.containers.exec_start(exec_id, start)
        except MobyError as error:
            return _unstarted(error, is_detached=options.detach)
        if stream is None or await Attachment(stream, stdin=stdin, detach=detach).run():
            return 0
    return await _exit_code(client, exec_id)


def _unstarted(error: MobyError, *, is_detached: bool) -> int:
    """The exit code for a program that cannot be executed; raises the error again for all else, and under the name moby.

    Docker writes why into the output of the program.
    """
    from moby_tui.cli import session

    is_of_program = error.exit_code in (126, 127)
    if is_of_program and session.program() == "docker" and not is_detached:
        print(error.message, end="\r\n", flush=True)
        return error.exit_code
    if is_detached and is_of_program:
        # as with docker: the program's exit code is for those who wait for it
        error.exit_code = 1
    raise error


async def _exit_code(client: Client, exec_id: str) -> int:
    """Polls for the process's exit code: its output may end a moment, or long, before the process does."""
    import asyncio

    pause = 0.01
    while (process := await client.containers.exec_inspect(exec_id)).exit_code is None:
        await asyncio.sleep(pause)
        pause = min(pause * 2, 1.0)
    return process.exit_code
