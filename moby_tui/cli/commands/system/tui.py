"""``moby tui``."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import session
from moby_tui.cli.commands import dashboard
from moby_tui.cli.table.root import WEB_SESSION
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.nounless import TuiOptions

_DEFAULT_HOST, _DEFAULT_PORT = "127.0.0.1", 8765


def tui(options: TuiOptions, *, container: str) -> int:
    """``moby tui``."""
    session.require_root()
    # what the dashboard starts is drawn elsewhere
    in_browser = options.web and os.environ.pop(WEB_SESSION, "") != ""
    if not in_browser:
        _check_place(options)
    first = ("containers", *dashboard.find([container])) if container else ()
    if options.web and not in_browser:
        return _serve(options)
    return dashboard.show(first, read_only=options.read_only, in_browser=in_browser)


def _check_place(options: TuiOptions) -> None:
    """Raises ``InvalidArgument`` if the dashboard cannot be shown."""
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
    dashboard.check_terminal()


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
