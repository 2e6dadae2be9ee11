"""``moby tui``."""

from __future__ import annotations

import sys

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.nounless import TuiOptions


def tui(options: TuiOptions) -> int:
    """``moby tui``."""
    session.require_root()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument(
            "the dashboard needs a terminal on standard input and output; in scripts use moby ps, stats and events"
        )
    from moby_tui.cli.engines import NamedEngines
    from moby_tui.screens.app import run

    collect_as_usual()
    return run(session.connect, read_only=options.read_only, engines=NamedEngines())
