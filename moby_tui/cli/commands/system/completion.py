"""``moby completion``: the script that a shell sources."""

from __future__ import annotations

import os
import sys

from moby_tui.cli.declare import Argument, Options, command
from moby_tui.errors import InvalidArgument


@command(
    "completion",
    Options,
    Argument("shell", "bash|zsh|fish"),
    epilog="""\b
Examples:
  source <(moby completion bash)                 in this shell; in ~/.bashrc for each
  source <(moby completion zsh)                  after compinit in ~/.zshrc
  moby completion fish > ~/.config/fish/completions/moby.fish
""",
)
def completion(options: Options, shell: str) -> None:
    """Output the shell completion script for the specified shell (bash, zsh or fish)."""
    from moby_tui.cli.completion.scripts import SHELLS, script

    if shell not in SHELLS:
        raise InvalidArgument(f"unknown shell {shell!r}: use {', '.join(SHELLS)}")
    # the script completes the name by which it was asked for: `docker` is a link to moby on some machines
    print(script(shell, "docker" if os.path.basename(sys.argv[0]) == "docker" else "moby"), end="")
