"""The command line as a Typer application: for help, completion, errors of usage, and commands that are rarely called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from moby_tui.cli import session, tree, usage
from moby_tui.cli.flags import spread
from moby_tui.cli.global_options import use
from moby_tui.cli.table.root import GlobalOptions

app = tree.root()


def _show_version(wanted: bool) -> None:
    if wanted:
        from moby_tui.version import VERSION

        print(f"moby version {VERSION}")
        raise typer.Exit


@app.callback(
    help="A container engine for Linux in one program: no daemon, no helpers.",
    epilog="""\b
Examples:
  moby run -it --rm alpine            a shell in a new container
  moby run -d -p 8080:80 nginx        a web server in the background
  moby ps -a                          all containers
  moby -H tcp://host:2375 ps          the containers of another machine
  moby tui                            the dashboard
""",
)
@spread
def root(
    options: GlobalOptions,
    version: Annotated[
        bool, typer.Option("-v", "--version", callback=_show_version, is_eager=True, help="Print the version and quit")
    ] = False,
) -> None:
    """A container engine for Linux in one program: no daemon, no helpers."""
    use(options)


#: Errors about options, for which docker has another exit code than for commands and arguments.
_OF_OPTIONS = frozenset({"BadOptionUsage", "BadParameter", "NoSuchOption"})


def call(argv: Sequence[str]) -> Any:
    """Runs one command line; returns what its command does, or an exit code. Raises what the command raises."""
    command: TyperGroup = get_command(app)  # type: ignore[assignment]
    try:
        return command.main(args=list(argv), prog_name=session.program(), standalone_mode=False)
    except typer.Abort:
        return 1
    except typer.TyperException as error:
        return _usage(error)


def _usage(error: typer.TyperException) -> int:
    """Prints an error of usage: one line for the error, one that names the help. ``moby`` alone shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return 0
    print(usage.line(error), file=sys.stderr)
    context = getattr(error, "ctx", None)
    if context is not None:
        print(f"Run '{context.command_path} --help' for more information", file=sys.stderr)
    return session.USAGE if type(error).__name__ in _OF_OPTIONS else 1
