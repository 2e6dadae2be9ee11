"""``moby tui``."""

from __future__ import annotations

import sys

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.nounless import TuiOptions
    from moby_tui.screens.forms.request import RunRequest


def tui(options: TuiOptions, *, container: str) -> int:
    """``moby tui``."""
    session.require_root()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, stats and events"
        )
    first = ("containers", session.call(lambda client: _find(client, container))) if container else ()
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.app import run

    collect_as_usual()
    return run(session.connect, read_only=options.read_only, engines=NamedEngines(), read_run=_read_run, first=first)


async def _find(client: Client, container: str) -> str:
    """The id of a container. Raises ``NotFound`` before the screen is taken."""
    return (await client.containers.inspect(container)).id


def _read_run(words: Sequence[str]) -> RunRequest:
    """Reads a line of ``run`` that the dashboard's form has written."""
    from moby_tui.cli.commands.containers.reading import read_run

    return read_run(words)
