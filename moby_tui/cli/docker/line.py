"""Command lines under the name ``docker`` that ``quick`` does not understand: pages of help, errors, and rare spellings."""

from __future__ import annotations

import sys

from moby_tui.cli.docker import help, misuse
from moby_tui.cli.docker.flags import FlagError, Flags
from moby_tui.cli.docker.misuse import Misuse
from moby_tui.cli.global_options import use
from moby_tui.cli.quick import from_environment
from moby_tui.cli.table import root as table
from moby_tui.cli.table.declare import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from moby_tui.cli.table.declare import Command, Noun

_ROOT_USAGE = "docker [OPTIONS] COMMAND [ARG...]"


def call(argv: Sequence[str]) -> Any:
    """Runs one command line; returns what its command does, or an exit code. Raises what the command raises."""
    try:
        return _root(argv)
    except Misuse as wrong:
        print(wrong.text, file=sys.stderr)
        return wrong.status


def _root(argv: Sequence[str]) -> Any:
    flags = _flags(help.RootOptions, argv, "docker", _ROOT_USAGE, interspersed=False)
    chosen = dict(flags.chosen)
    if chosen.pop("version", False):
        help.show_version()
        return 0
    if flags.help or not flags.rest:
        help.show_root(_globals(chosen), to_error=not flags.help, is_shorthand_used=flags.is_shorthand_used)
        return 0
    name, words = flags.rest[0], flags.rest[1:]
    if name == "help":
        return _help(words, chosen)
    if name and name in table.NOUNS:
        return _noun(table.noun(name), words, chosen)
    command = next((each for each in table.without_noun() if each.root == name), None)
    if command is not None:
        return _command(command, f"docker {name}", words, chosen)
    _require_known("", name)
    # its options are read as the program's own
    _flags(help.RootOptions, words, "docker", _ROOT_USAGE, interspersed=True)
    raise misuse.unknown_command("docker", name)


def _globals(chosen: dict[str, Any]) -> table.GlobalOptions:
    import os

    return table.GlobalOptions(**from_environment(table.GlobalOptions, os.environ) | chosen)


def _flags(options: type[Options], words: Sequence[str], path: str, usage: str, *, interspersed: bool) -> Flags:
    try:
        return Flags(options, words, interspersed=interspersed)
    except FlagError as error:
        raise misuse.of_flags(str(error), path, usage) from None


def _noun(noun: Noun, words: Sequence[str], chosen: dict[str, Any]) -> Any:
    path = f"docker {noun.name}"
    before, name, after = _first_word(words)
    command = noun.find(name) if name else None
    if command is not None:
        try:
            Flags(Options, before, interspersed=True)
        except FlagError as error:
            raise Misuse(str(error), 1) from None
        # options before the command are the command's own, as far as they mean help
        return _command(command, f"{path} {command.name}", [*before, *after], chosen)
    flags = _flags(Options, words, path, path, interspersed=True)
    if flags.help or not flags.rest:
        help.show_noun(noun, to_error=not flags.help, is_shorthand_used=flags.is_shorthand_used)
        return 0
    _require_known(noun.name, flags.rest[0])
    raise misuse.unknown_command(path, flags.rest[0])


def _first_word(words: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    """The first word that is no option and, behind an unknown option, not its value, and the words before and after it."""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--" or not word.startswith("-") or word == "-":
            break
        is_help = word in ("--help", "-h")
        position += 2 if not is_help and "=" not in word and (word.startswith("--") or len(word) == 2) else 1
    if position >= len(words):
        return words, "", ()
    return words[:position], words[position], words[position + 1 :]


def _command(command: Command, path: str, words: Sequence[str], chosen: dict[str, Any]) -> Any:
    usage = misuse.usage_of(command, path)
    flags = _flags(command.options, words, path, usage, interspersed=command.interspersed)
    if flags.help:
        help.show_command(command, path, is_shorthand_used=flags.is_shorthand_used)
        return 0
    wrong = misuse.of_arguments(command, path, len(flags.rest))
    if wrong is not None and not any(argument.only_with and argument.only_with in flags.chosen for argument in command.arguments):
        raise wrong
    use(_globals(chosen))
    return command.load()(command.options(**flags.chosen), **_positional(command, flags.rest))


def _positional(command: Command, words: Sequence[str]) -> dict[str, Any]:
    left = list(words)
    values: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.many:
            values[argument.name], left = left, []
        else:
            values[argument.name] = left.pop(0) if left else ""
    return values


def _help(words: Sequence[str], chosen: dict[str, Any]) -> int:
    """``docker help NAME...``."""
    if not words:
        help.show_root(_globals(chosen), to_error=False, is_shorthand_used=False)
        return 0
    if words[0] and words[0] in table.NOUNS:
        noun = table.noun(words[0])
        command = noun.find(words[1]) if len(words) > 1 else None
        if len(words) == 1:
            help.show_noun(noun, to_error=False, is_shorthand_used=False)
            return 0
        path = f"docker {noun.name} {command.name}" if command else ""
    else:
        command = next((each for each in table.without_noun() if each.root == words[0]), None)
        path = f"docker {words[0]}"
    if command is None:
        raise Misuse(f"unknown help topic: {' '.join(words[1:] or words)}", 1)
    help.show_command(command, path, is_shorthand_used=False)
    return 0


def _require_known(noun: str, name: str) -> None:
    """Raises ``NotImplementedYet`` for a command of docker's that is not there yet, ``InvalidArgument`` for a runtime's."""
    if name in table.MISSING.get(noun, ()):
        from moby_tui.errors import NotImplementedYet

        raise NotImplementedYet(f"command {noun} {name}".replace("  ", " "))
    if not noun and name == "oci":
        from moby_tui.errors import InvalidArgument

        raise InvalidArgument("moby oci is no part of the engine and has options of its own: write none before it")
