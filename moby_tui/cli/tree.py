"""The table's commands as Typer's groups: for help, and for lines that ``quick`` does not understand."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info

from moby_tui.cli import session
from moby_tui.cli.flags import typer_command
from moby_tui.cli.table import root as table
from moby_tui.cli.table.declare import Command, Noun


def typed(command: Command) -> Any:
    """A declared command as Typer's."""
    return get_command_from_info(typer_command(command), pretty_exceptions_short=False, rich_markup_mode=None)


class NounGroup(TyperGroup):
    """The commands of a noun."""

    noun: Noun

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(command.name for command in self.noun.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = self.noun.find(cmd_name)
        return typed(command) if command else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            _refuse(ctx, self.noun.name, name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


class RootGroup(TyperGroup):
    """The nouns, and the commands that need none."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*filter(None, table.NOUNS), *(command.root for command in table.without_noun())})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name and cmd_name in table.NOUNS:
            return group(table.noun(cmd_name))
        return next((typed(command) for command in table.without_noun() if command.root == cmd_name), None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name == "oci":
            from moby_tui.errors import InvalidArgument

            raise InvalidArgument("moby oci is no part of the engine and has options of its own: write none before it")
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            _refuse(ctx, "", name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Typer ends the process by itself on a broken pipe, with the exit code of a failure; we say what it was."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(session.BROKEN_PIPE) from None


def _refuse(ctx: Any, noun: str, name: str, known: list[str]) -> None:
    """Ends the parsing for a command that is not there, with what may have been meant."""
    if name in table.MISSING.get(noun, ()):
        from moby_tui.errors import NotImplementedYet

        raise NotImplementedYet(f"command {noun} {name}".replace("  ", " "))
    from difflib import get_close_matches

    hint = get_close_matches(name, known, n=1)
    ctx.fail(f"unknown command {name!r}" + (f"; did you mean {hint[0]!r}?" if hint else ""))


def group(noun: Noun) -> NounGroup:
    """A noun as Typer's group."""
    made = NounGroup(name=noun.name, help=noun.help, no_args_is_help=True, rich_markup_mode=None)
    made.noun = noun
    return made


def root() -> typer.Typer:
    """An empty Typer application whose commands are found by name."""
    return typer.Typer(
        cls=RootGroup, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
    )
