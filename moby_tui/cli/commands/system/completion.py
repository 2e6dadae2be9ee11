"""``moby completion``: the script that a shell sources."""

from __future__ import annotations

import os
import sys

from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Options


def completion(options: Options, shell: str) -> None:
    """``moby completion``."""
    from moby_tui.cli.completion.scripts import SHELLS, script

    if shell not in SHELLS:
        raise InvalidArgument(f"unknown shell {shell!r}: use {', '.join(SHELLS)}")
    # the script completes the name by which it was asked for: `docker` is a link to moby on some machines
    print(script(shell, "docker" if os.path.basename(sys.argv[0]) == "docker" else "moby"), end="")
