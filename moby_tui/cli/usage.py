"""Errors of usage in one line: in moby's words, or in docker's if the program is called by that name, since scripts match those."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument

from moby_tui.cli import session


def line(error: Any) -> str:
    """What is wrong with a command line. ``error`` is a ``typer.TyperException``."""
    message = error.format_message()
    if session.program() == "docker":
        return _in_dockers_words(error, message)
    return f"{session.program()}: {_lowered(message)}"


def _in_dockers_words(error: Any, message: str) -> str:
    kind, name = type(error).__name__, getattr(error, "option_name", "")
    if kind == "NoSuchOption":
        return f"unknown flag: {name}" if name.startswith("--") else f"unknown shorthand flag: {name[1:]!r} in {name}"
    if kind == "BadOptionUsage" and "requires an argument" in message:
        return f"flag needs an argument: {name}" if name.startswith("--") else f"flag needs an argument: {name[1:]!r} in {name}"
    if isinstance(getattr(error, "param", None), TyperArgument) or message.startswith("Got unexpected extra argument"):
        return f"docker: {error.ctx.command_path!r} {_number_of(error.ctx.command)}"
    return f"docker: {_lowered(message)}"


def _number_of(command: Any) -> str:
    """How many arguments a command takes."""
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    least = sum(argument.required for argument in arguments)
    most = None if any(argument.nargs == -1 for argument in arguments) else len(arguments)
    if most == 0:
        return "accepts no arguments"
    if most is None:
        return f"requires at least {_counted(least)}"
    if least == most:
        return f"requires {_counted(least)}"
    return f"requires at most {_counted(most)}" if least == 0 else f"requires at least {least} and at most {_counted(most)}"


def _counted(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")
