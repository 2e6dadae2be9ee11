"""Errors of usage as docker's command line prints them."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Command


class Misuse(Exception):
    """A command line is wrong. ``text`` is all of what standard error gets."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.text, self.status = text, status


def usage_of(command: Command, path: str) -> str:
    """The usage line of a command that is called by this path, such as ``docker container rm``."""
    own = command.usage or " ".join(argument.usage for argument in command.arguments if not argument.only_with)
    options = "[OPTIONS]" if any(not option.hidden for option in command.options.declared.values()) else ""
    return " ".join(filter(None, (path, options, own)))


def of_flags(text: str, path: str, usage: str) -> Misuse:
    """For options that cannot be read."""
    return Misuse(f"{text}\n\nUsage:  {usage}\n\nRun '{path} --help' for more information", session.USAGE)


def of_arguments(command: Command, path: str, count: int) -> Misuse | None:
    """For a number of arguments that the command does not take."""
    arguments = [argument for argument in command.arguments if not argument.only_with]
    # what an option makes superfluous is required without it
    is_narrowed = len(arguments) < len(command.arguments)
    least = len(arguments) if is_narrowed else sum(argument.required for argument in arguments)
    most = None if any(argument.many for argument in arguments) else len(arguments)
    if least <= count and (most is None or count <= most):
        return None
    hint = "See" if most is None else "Run"
    text = f"docker: '{path}' {_number_of(least, most)}\n\nUsage:  {usage_of(command, path)}\n\n{hint} '{path} --help' for more information"
    return Misuse(text, 1)


def _number_of(least: int, most: int | None) -> str:
    if most == 0:
        return "accepts no arguments"
    if most is None:
        return f"requires at least {_counted(least)}"
    if least == most:
        return f"requires {_counted(least)}"
    return f"requires at most {_counted(most)}" if least == 0 else f"requires at least {least} and at most {_counted(most)}"


def _counted(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def unknown_command(path: str, name: str) -> Misuse:
    """For a command that a noun, or the program, does not have."""
    usage = "" if path == "docker" else f"Usage:  {path}\n\n"
    return Misuse(f"docker: unknown command: {path} {name}\n\n{usage}Run '{path} --help' for more information", 1)
