"""``moby tui``."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.cli.table.root import WEB_SESSION
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.nounless import TuiOptions
    from moby_tui.screens.building.request import BuildRequest
    from moby_tui.screens.forms.request import RunRequest

_DEFAULT_HOST, _DEFAULT_PORT = "127.0.0.1", 8765


def tui(options: TuiOptions, *, container: str) -> int:
    """``moby tui``."""
    session.require_root()
    # what the dashboard starts is drawn elsewhere
    in_browser = options.web and os.environ.pop(WEB_SESSION, "") != ""
    if not in_browser:
        _check_place(options)
    first = ("containers", session.call(lambda client: _find(client, container))) if container else ()
    if options.web and not in_browser:
        return _serve(options)
    from moby_tui.cli.commands.composing import PluggedIn
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.app import run
    from moby_tui.screens.command_line import CommandLine

    collect_as_usual()
    return run(
        session.connect,
        read_only=options.read_only,
        engines=NamedEngines(),
        command_line=CommandLine(_read_run, _read_build, PluggedIn()),
        first=first,
        in_browser=in_browser,
    )


def _check_place(options: TuiOptions) -> None:
    """Raises ``InvalidArgument`` where the dashboard cannot be shown."""
    if options.web:
        return
    for given, name in (
        (options.host, "--host"),
        (options.port != -1, "--port"),
        (options.allowed_host, "--allowed-host"),
        (options.allow_remote, "--allow-remote"),
    ):
        if given:
            raise InvalidArgument(f"{name} is of moby tui --web")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, stats and events"
        )


def _serve(options: TuiOptions) -> int:
    """Serves dashboards, each in a process with the command line of this one, until a signal ends it."""
    import asyncio

    from moby_tui.web import server

    server.terminal_files()  # a package that is missing is told first
    sock = server.bind(
        options.host or _DEFAULT_HOST, _DEFAULT_PORT if options.port == -1 else options.port, remote=options.allow_remote
    )
    how = [] if getattr(sys, "frozen", False) else ["-P", "-m", "moby_tui"]
    command = [sys.executable, *how, *sys.argv[1:]]
    asyncio.run(server.serve(sock, command, {WEB_SESSION: "1"}, _announce, names=options.allowed_host))
    return 0


def _announce(address: str) -> None:
    print(f"The dashboard is at {address}", flush=True)


async def _find(client: Client, container: str) -> str:
    """The id of a container. Raises ``NotFound`` before the screen is taken."""
    return (await client.containers.inspect(container)).id


def _read_run(words: Sequence[str]) -> RunRequest:
    """Reads a line of ``run`` that the dashboard's form has written."""
    from moby_tui.cli.commands.containers.reading import read_run

    return read_run(words)


def _read_build(words: Sequence[str]) -> BuildRequest:
    """Reads a line of ``build`` that the dashboard's form has written."""
    from moby_tui.cli.commands.builds.reading import read_build

    return read_build(words)
