"""The command line itself: how a command is found, and how each outcome ends the process."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import ending, session
from moby_tui.cli.declare import Options, declared_in, many, switch, value
from moby_tui.cli.ending import Leave
from moby_tui.cli.names import LEAVES
from moby_tui.cli.quick import Line, NotUnderstood, from_environment, parse
from moby_tui.errors import MobyError, refused_by_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class GlobalOptions(Options):
    """What comes before the command."""

    host: str = value(
        "-H",
        "--host",
        environment="MOBY_HOST",
        help="Engine to talk to (unix://, tcp://, ssh://); none: the engine in this process",
    )
    data_root: str = value(
        "--data-root",
        environment="MOBY_DATA_ROOT",
        metavar="path",
        help="Where images, containers and volumes are kept  [default: /var/lib/moby]",
    )
    exec_root: str = value(
        "--exec-root",
        environment="MOBY_EXEC_ROOT",
        metavar="path",
        help="Where the state of running containers is kept  [default: /run/moby]",
    )
    hooks_dir: list[str] = many(
        "--hooks-dir", metavar="path", help="Folder of OCI hook files for the containers that this engine starts"
    )
    signature_policy: str = value(
        "--signature-policy",
        environment="MOBY_SIGNATURE_POLICY",
        metavar="path",
        help="File that says which images may be pulled  [default: /etc/moby/policy.json]",
    )
    debug: bool = switch("-D", "--debug", help="Show where an error comes from")


def use(options: GlobalOptions) -> None:
    """Makes them this invocation's."""
    chosen = session.Session(host=options.host, data_root=options.data_root, exec_root=options.exec_root, debug=options.debug)
    chosen.hooks_dirs = options.hooks_dir
    chosen.signature_policy = options.signature_policy
    session.use(chosen)


def run(argv: Sequence[str]) -> int:
    """Runs one command line; returns the exit code. Nothing but a defect of ours leaves it as an exception."""
    try:
        status = _outcome(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return ending.BROKEN_PIPE


def _drop_output() -> None:
    """Points standard output at nothing, so that the interpreter's last flush does not complain of the reader that left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _outcome(argv: Sequence[str]) -> int:
    try:
        status = _command(argv)()
        return status if isinstance(status, int) else 0
    except Leave as leave:
        return leave.status
    except MobyError as error:
        if session.current().debug:
            raise
        session.tell(error)
        return error.exit_code
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:
        told = refused_by_system(error)
        if told is None or session.current().debug:
            raise
        session.tell(told)
        return 1
    except KeyboardInterrupt:
        return ending.INTERRUPTED


def _command(argv: Sequence[str]) -> Callable[[], Any]:
    """What this command line calls: found without Typer where that is enough."""
    try:
        return _quick(argv)
    except NotUnderstood:
        from moby_tui.cli.application import call

        return lambda: call(argv)


def _quick(argv: Sequence[str]) -> Callable[[], Any]:
    if "_MOBY_COMPLETE" in os.environ:
        raise NotUnderstood
    line = Line(GlobalOptions, argv, interspersed=False)
    if not line.rest or line.rest[0] not in LEAVES:
        raise NotUnderstood
    name, *words = line.rest
    # `import_module` would import what imports modules
    module = f"moby_tui.cli.commands.{LEAVES[name].partition(':')[0]}"
    __import__(module)
    command = declared_in(sys.modules[module], LEAVES[name].partition(":")[2] or name)
    if command is None:
        raise NotUnderstood
    options, arguments = parse(command, words)
    use(GlobalOptions(**from_environment(GlobalOptions, os.environ) | line.chosen))
    return lambda: command.function(options, **arguments)
