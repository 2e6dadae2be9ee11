"""Pages of help in the layout of docker's: usage, description, aliases, options with the types of their values."""

from __future__ import annotations

import os
import sys

from moby_tui.cli.docker import misuse
from moby_tui.cli.docker.wrapping import described
from moby_tui.cli.table import root as table
from moby_tui.cli.table.declare import Options, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from moby_tui.cli.table.declare import Command, Noun, Option

_DEPRECATED = "Flag shorthand -h has been deprecated, use --help"
_NAME_WIDTH = 11
_COMMON = (*("run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info"),)


class RootOptions(table.GlobalOptions):
    version: bool = switch("-v", "--version", help="Print version information and quit")


class _HelpOption(Options):
    help: bool = switch("--help", help="Print usage")


def show_version() -> None:
    """``docker --version``."""
    from moby_tui.version import VERSION

    print(f"Docker version {VERSION}, build moby")


def show_command(command: Command, path: str, *, is_shorthand_used: bool) -> None:
    """The page of a command that was called by this path."""
    options = dict(command.options.declared)
    if any("-h" in option.names for option in options.values()):
        options |= _HelpOption.declared
    noun = path.split()[1] if len(path.split()) > 2 else _noun_of(command)
    _show(
        [
            f"Usage:  {misuse.usage_of(command, path)}",
            command.help.rstrip("."),
            _section("Aliases:", [f"  {', '.join(_aliases(noun, command))}"] if len(_aliases(noun, command)) > 1 else []),
            _section("Options:", option_lines(options.values())),
        ],
        is_shorthand_used=is_shorthand_used,
    )


def show_noun(noun: Noun, *, to_error: bool, is_shorthand_used: bool) -> None:
    """The page of a noun: its commands."""
    lines = _command_lines((command.name, command.help) for command in noun.commands)
    _show(
        [
            f"Usage:  docker {noun.name} COMMAND",
            noun.help,
            _section("Commands:", lines),
            f"Run 'docker {noun.name} COMMAND --help' for more information on a command.",
        ],
        to_error=to_error,
        is_shorthand_used=is_shorthand_used,
    )


def show_root(chosen: table.GlobalOptions, *, to_error: bool, is_shorthand_used: bool) -> None:
    """The page of the program."""
    from moby_tui.cli import plug_ins

    commands = {command.root: command.help for command in table.without_noun()}
    nouns = {name: table.noun(name).help for name in table.NOUNS if name}
    others = {f"{name}*": text for name, text in plug_ins.described(chosen.config)}
    legacy = bool(os.environ.get("DOCKER_HIDE_LEGACY_COMMANDS"))
    own = ("daemon", "tui", "completion")
    rest = [] if legacy else [(name, text) for name, text in commands.items() if name not in (*_COMMON, *own)]
    _show(
        [
            "Usage:  docker [OPTIONS] COMMAND",
            "A self-sufficient runtime for containers",
            _section("Common Commands:", _command_lines(((name, commands[name]) for name in _COMMON), is_sorted=False)),
            _section("Management Commands:", _command_lines((nouns | others).items())),
            _section("Commands:", _command_lines([*rest, *((name, commands[name]) for name in own)])),
            _section("Global Options:", option_lines(RootOptions.declared.values())),
            "Run 'docker COMMAND --help' for more information on a command.",
        ],
        to_error=to_error,
        is_root=True,
        is_shorthand_used=is_shorthand_used,
    )


def _show(paragraphs: Iterable[str], *, to_error: bool = False, is_root: bool = False, is_shorthand_used: bool) -> None:
    out = sys.stderr if to_error else sys.stdout
    if is_shorthand_used:
        print(_DEPRECATED, file=sys.stderr if is_root else out)
    print("\n\n".join(filter(None, paragraphs)), file=out)


def _section(heading: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return f"{heading}\n{text}" if text else ""


def _command_lines(commands: Iterable[tuple[str, str]], *, is_sorted: bool = True) -> list[str]:
    named = sorted(commands) if is_sorted else list(commands)
    width = max((len(name) for name, _ in named), default=0)
    return [f"  {name:<{max(width, _NAME_WIDTH)}} {text.rstrip('.')}" for name, text in named]


def _noun_of(command: Command) -> str:
    """The noun that a command belongs to if it was called without one; empty if it has none."""
    return next((name for name in table.NOUNS if name and command in table.noun(name).commands), "")


def _aliases(noun: str, command: Command) -> list[str]:
    """The paths by which a command is called."""
    names = [f"docker {noun} {name}" for name in (command.name, *command.aliases)] if noun else []
    return [*names, *([f"docker {command.root}"] if command.root else [])]


def option_lines(options: Iterable[Option]) -> list[str]:
    """A paragraph for each option that is not hidden, in the order of the long names, with the descriptions in a column of their own."""
    shown = sorted((option for option in options if not option.hidden), key=_long)
    return described([(_head(option), option.help + _default(option)) for option in shown], _columns())


def _long(option: Option) -> str:
    return next(name for name in option.names if name.startswith("--"))


def _head(option: Option) -> str:
    short = next((f"{name}, " for name in option.names if not name.startswith("--")), "    ")
    kind = "" if option.is_flag or not option.metavar else f" {option.metavar}"
    return f"  {short}{_long(option)}{kind}"


def _default(option: Option) -> str:
    if option.is_list or "(default " in option.help or "[default: " in option.help:
        return ""
    if option.is_flag:
        return " (default true)" if option.default else ""
    if option.default in ("", None, 0):
        return ""
    return f' (default "{option.default}")' if isinstance(option.default, str) else f" (default {option.default})"


def _columns() -> int:
    try:
        return os.get_terminal_size(0).columns or 80
    except OSError:
        return 80
