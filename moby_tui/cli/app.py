"""The command line itself: global options, and how each outcome ends the process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_command

from moby_tui.cli import session, tree
from moby_tui.errors import MobyError

EXIT_USAGE = 125
EXIT_INTERRUPTED = 130

app = tree.root()


def _show_version(wanted: bool) -> None:
    if wanted:
        from moby_tui.version import VERSION

        print(f"moby version {VERSION}")
        raise typer.Exit


@app.callback(
    epilog="""\b
Examples:
  moby run -it --rm alpine            a shell in a new container
  moby run -d -p 8080:80 nginx        a web server in the background
  moby ps -a                          all containers
  moby -H ssh://host ps               the containers of another machine
  moby tui                            the dashboard
"""
)
def root(
    host: Annotated[
        str,
        typer.Option(
            "-H",
            "--host",
            envvar="MOBY_HOST",
            help="Engine to talk to (unix://, tcp://, ssh://); none: the engine in this process",
            metavar="string",
            show_default=False,
        ),
    ] = "",
    data_root: Annotated[
        str,
        typer.Option(
            "--data-root",
            envvar="MOBY_DATA_ROOT",
            help="Where images, containers and volumes are kept",
            metavar="path",
            show_default="/var/lib/moby",
        ),
    ] = "",
    exec_root: Annotated[
        str,
        typer.Option(
            "--exec-root",
            envvar="MOBY_EXEC_ROOT",
            help="Where the state of running containers is kept",
            metavar="path",
            show_default="/run/moby",
        ),
    ] = "",
    debug: Annotated[bool, typer.Option("-D", "--debug", help="Show where an error comes from")] = False,
    version: Annotated[
        bool, typer.Option("-v", "--version", callback=_show_version, is_eager=True, help="Print the version and quit")
    ] = False,
) -> None:
    """A container engine for Linux in one program: no daemon, no helpers."""
    session.use(session.Session(host=host, data_root=data_root, exec_root=exec_root, debug=debug))


def _usage(error: typer.TyperException) -> int:
    """One line on what is wrong, one on where to read; ``moby`` alone shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return 0
    print(f"moby: {_lowered(error.format_message())}", file=sys.stderr)
    context = getattr(error, "ctx", None)
    if context is not None:
        print(f"Run '{context.command_path} --help' for more information", file=sys.stderr)
    return EXIT_USAGE


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")


def _drop_output() -> None:
    """Points standard output at nothing, so that the interpreter's last flush does not complain of the reader that left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def run(argv: Sequence[str]) -> int:
    """Runs one command line; returns the exit code. Nothing but a defect of ours leaves it as an exception."""
    try:
        status = _outcome(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return tree.EXIT_BROKEN_PIPE


def _outcome(argv: Sequence[str]) -> int:
    command: TyperGroup = get_command(app)  # type: ignore[assignment]
    try:
        status = command.main(args=list(argv), prog_name="moby", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except MobyError as error:
        if session.current().debug:
            raise
        session.tell(error)
        return error.exit_code
    except OSError as error:
        if session.current().debug:
            raise
        place = f": {error.filename}" if error.filename else ""
        session.tell(MobyError(f"{(error.strerror or str(error)).lower()}{place}"))
        return 1
    except typer.Abort:
        return 1
    except typer.TyperException as error:
        return _usage(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
