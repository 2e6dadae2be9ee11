"""``moby completion``: the script that a shell sources."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Options


def completion(options: Options, shell: str) -> None:
    """``moby completion``."""
    from moby_tui.cli.completion.scripts import SHELLS, script

    if shell not in SHELLS:
        raise InvalidArgument(f"unknown shell {shell!r}: use {', '.join(SHELLS)}")
    # the script completes the name by which it was asked for
    print(script(shell, session.program()), end="")
