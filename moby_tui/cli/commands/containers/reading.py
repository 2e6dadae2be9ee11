"""Reads a line of ``run`` for the dashboard, whose form writes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from moby_tui.cli.configuration import create_request
from moby_tui.cli.quick import NotUnderstood, parse
from moby_tui.cli.table.containers import CONTAINER
from moby_tui.cli.table.declare import Command
from moby_tui.cli.table.run import RunOptions
from moby_tui.errors import InvalidArgument
from moby_tui.screens.forms.request import RunRequest


def read_run(words: Sequence[str]) -> RunRequest:
    """What the words behind ``moby run`` ask for; it is to run in the background. Raises ``MobyError``, with the command line's texts."""
    run = CONTAINER.find("run")
    assert run is not None
    options, positional = read_options(run, words)
    chosen = cast("RunOptions", options)
    if chosen.pull not in ("always", "missing", "never"):
        raise InvalidArgument(f"invalid value for --pull: {chosen.pull!r}; use always, missing or never")
    config = create_request(chosen, positional["image"], positional["words"], detached=True)
    return RunRequest(chosen.name, config, chosen.platform, chosen.pull)


def read_options(command: Command, words: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The options and the positional arguments of a command's line. Raises ``InvalidArgument``, with the command line's texts."""
    try:
        return parse(command, words)
    except NotUnderstood:
        return _with_typer(command, words)


def _with_typer(named: Command, words: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The same by Typer, which has the words for what is wrong."""
    from typer import BadParameter
    from typer.main import get_command_from_info

    from moby_tui.cli.flags import typer_command

    read: list[tuple[Any, dict[str, Any]]] = []
    info = typer_command(named, lambda options, **positional: read.append((options, positional)))
    info.add_help_option = False
    command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
    usage_error = cast("type[Exception]", BadParameter.__base__)  # Typer offers no name for it
    try:
        command.main(list(words), prog_name=named.name, standalone_mode=False)
    except usage_error as error:
        raise InvalidArgument(" ".join(cast("Any", error).format_message().split())) from error
    return read[0]
