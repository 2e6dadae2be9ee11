"""Runs one command line: finds the command, and turns each outcome into an exit code and a message."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import encoding, session
from moby_tui.cli.global_options import use
from moby_tui.cli.quick import Line, NotUnderstood, from_environment, parse
from moby_tui.cli.session import Leave
from moby_tui.cli.table.root import NOUNS, GlobalOptions, find
from moby_tui.errors import MobyError, refused_by_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def run(argv: Sequence[str]) -> int:
    """Runs one command line; returns the exit code. Nothing but a defect of ours leaves it as an exception."""
    for stream in (sys.stdout, sys.stderr):
        encoding.make_lossy(stream)
    status = 0
    try:
        status = _outcome(encoding.valid_words(argv))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return session.BROKEN_PIPE
    except OSError as error:
        if session.current().debug:
            raise
        _drop_output()
        if not status:
            session.tell(MobyError(f"cannot write to standard output: {(error.strerror or str(error)).lower()}"))
        return status or 1


def _drop_output() -> None:
    """Points standard output at /dev/null, so that the interpreter's last flush does not fail for the closed pipe."""
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
        refusal = refused_by_system(error)
        if refusal is None or session.current().debug:
            raise
        session.tell(refusal)
        return 1
    except UnicodeEncodeError as error:
        if session.current().debug:
            raise
        session.tell(MobyError(f"not UTF-8, and only UTF-8 can be passed on here: {error.object[:200]!a}"))
        return 1
    except KeyboardInterrupt:
        return session.INTERRUPTED


def _command(argv: Sequence[str]) -> Callable[[], Any]:
    """The function that this command line calls. Found without Typer if the line is an ordinary one."""
    if argv[:1] and argv[0].startswith("__complete"):
        from moby_tui.cli.completion.answer import NAMES, complete

        if argv[0] in NAMES:
            return lambda: complete(argv[0], argv[1:])
    try:
        return _quick(argv)
    except NotUnderstood:
        if session.program() == "docker":
            from moby_tui.cli.docker.line import call as call_as_docker

            return lambda: call_as_docker(argv)
        from moby_tui.cli.application import call

        return lambda: call(argv)


def _quick(argv: Sequence[str]) -> Callable[[], Any]:
    line = Line(GlobalOptions, argv, interspersed=False)
    if "host" in line.repeated and session.program() == "docker":
        raise NotUnderstood
    chosen = GlobalOptions(**from_environment(GlobalOptions, os.environ) | line.chosen)
    entry = find(line.rest)
    if entry is None:
        return _plug_in(chosen, line.rest)
    command, words = entry
    options, arguments = parse(command, words)
    if session.program() == "docker":
        from moby_tui.cli.docker.checks import are_acceptable

        if not are_acceptable(command, options, arguments):
            raise NotUnderstood

    def call() -> Any:
        use(chosen)
        return command.load()(options, **arguments)

    return call


def _of_cluster(words: Sequence[str]) -> Callable[[], Any]:
    """Under the name docker: what a command that needs a swarm or managed plug-ins answers. Raises ``NotUnderstood`` for another one."""
    if session.program() != "docker":
        raise NotUnderstood
    from moby_tui.cli.commands import cluster

    if words[0] not in cluster.NAMES:
        raise NotUnderstood
    return lambda: cluster.call(words)


def _plug_in(chosen: GlobalOptions, words: Sequence[str]) -> Callable[[], Any]:
    """The plug-in of docker's command line that a line calls. Raises ``NotUnderstood`` if it calls none."""
    if not words or words[0] in NOUNS:
        raise NotUnderstood
    from moby_tui.cli import plug_ins

    path = plug_ins.find(words[0], chosen.config)
    if path is None:
        return _of_cluster(words)
    from moby_tui.cli.commands.plug_in import run

    def call() -> int:
        use(chosen)
        return run(path, words)

    return call
