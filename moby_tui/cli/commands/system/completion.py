"""``moby completion``: the script that a shell sources."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.errors import InvalidArgument

app = typer.Typer()

_SHELLS = ("bash", "zsh", "fish", "powershell")


@app.command(
    "completion",
    epilog="""\b
Examples:
  source <(moby completion bash)
  moby completion fish > ~/.config/fish/completions/moby.fish
""",
)
def completion(shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish|powershell", show_default=False)]) -> None:
    """Print the completion script for a shell (`moby --install-completion` installs it)."""
    from typer._completion_shared import get_completion_script

    if shell not in _SHELLS:
        raise InvalidArgument(f"unknown shell {shell!r}: use {', '.join(_SHELLS)}")
    print(get_completion_script(prog_name="moby", complete_var="_MOBY_COMPLETE", shell=shell))
