"""Which check an option's values have, and whether all values of a line pass theirs."""

from __future__ import annotations

from moby_tui.cli.docker.values import cpus, duration, number, size, swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from moby_tui.cli.table.declare import Command, Option, Options

_CHECKS: dict[str, Callable[[str], object]] = {
    "int": number,
    "uint16": lambda text: number(text, 16, signed=False),
    "bytes": size,
    "decimal": cpus,
    "duration": duration,
    "--memory-swap": swap,
}


def check_of(option: Option) -> Callable[[str], object] | None:
    """What raises ``ValueError``, with docker's text, for a value that the option does not take; None if it takes any text."""
    known = next((_CHECKS[key] for key in (*option.names, option.metavar) if key in _CHECKS), None)
    if known is None and option.metavar != "string":
        # imported here: few lines have such an option
        from moby_tui.cli.docker.lists import CHECKS

        return next((CHECKS[key] for key in (*option.names, option.metavar) if key in CHECKS), None)
    return known


def are_acceptable(command: Command, options: Options, arguments: Mapping[str, Any]) -> bool:
    """False for a value that docker's type of the option does not take, and for arguments that docker's command does not take.

    Such a line is read once more by ``line``, which has the words for what is wrong.
    """
    for argument in command.arguments:
        if argument.only_with and not getattr(options, argument.only_with):
            first = command.arguments[0]
            return not arguments[argument.name] and bool(arguments[first.name])
    for field, option in options.declared.items():
        value = getattr(options, field)
        if option.is_flag or option.metavar == "string" or not value or value == option.default:
            continue
        check = check_of(option)
        try:
            for text in value if option.is_list else (str(value),):
                if check is not None:
                    check(text)
        except ValueError:
            return False
    return True
