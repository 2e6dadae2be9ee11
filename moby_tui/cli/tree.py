"""The commands as Typer's groups. A module is imported when its command is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from moby_tui.cli import ending
from moby_tui.cli.declare import declared_in
from moby_tui.cli.flags import DockerCommand, typer_command
from moby_tui.cli.names import ALIASES, GROUPS, LEAVES, MISSING


def _load(where: str, name: str) -> CommandInfo:
    module_name, _, registered = where.partition(":")
    module = importlib.import_module(f"moby_tui.cli.commands.{module_name}")
    declared = declared_in(module, registered or name)
    if declared is not None:
        return typer_command(declared)
    infos: list[CommandInfo] = module.app.registered_commands
    return next(info for info in infos if info.name == (registered or name))


def _command(where: str, name: str) -> Any:
    info = _load(where, name)
    info.cls = DockerCommand
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)


class LazyGroup(TyperGroup):
    """A group that knows the names of its commands, and imports one when it is called."""

    leaves: Mapping[str, str] = MappingProxyType({})
    groups: Mapping[str, tuple[str, dict[str, str]]] = MappingProxyType({})

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*self.leaves, *self.groups})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = ALIASES.get(cmd_name, cmd_name) if self.leaves is not LEAVES else cmd_name
        if name in self.groups:
            summary, leaves = self.groups[name]
            return subgroup(name, summary, leaves)
        if name not in self.leaves:
            return None
        return _command(self.leaves[name], name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if self.leaves is LEAVES and name not in self.list_commands(ctx) and name not in ALIASES:
            from moby_tui.cli import plug_ins

            if plug_ins.find(name):
                return name, _command("plug_in:plug-in", name), args[1:]
        group = "" if self.leaves is LEAVES else str(self.name)
        if name in MISSING.get(group, ()):
            from moby_tui.errors import NotImplementedYet

            raise NotImplementedYet(f"command {f'{group} {name}'.strip()}")
        if name == "oci" and not group:
            from moby_tui.errors import InvalidArgument

            raise InvalidArgument("moby oci is no part of the engine and has options of its own: write none before it")
        known = self.list_commands(ctx)
        if name not in known and name not in ALIASES and not name.startswith("-"):
            from difflib import get_close_matches

            hint = get_close_matches(name, known, n=1)
            ctx.fail(f"unknown command {name!r}" + (f"; did you mean {hint[0]!r}?" if hint else ""))
        return super().resolve_command(ctx, args)


class RootGroup(LazyGroup):
    leaves = LEAVES
    groups = GROUPS

    def invoke(self, ctx: Any) -> Any:
        """Typer ends the process by itself on a broken pipe, with the exit code of a failure; we say what it was."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(ending.BROKEN_PIPE) from None


def subgroup(name: str, summary: str, leaves: dict[str, str]) -> LazyGroup:
    group = LazyGroup(name=name, help=summary, no_args_is_help=True, rich_markup_mode=None)
    group.leaves = leaves
    return group


def root() -> typer.Typer:
    """An empty Typer application whose commands are found by name."""
    return typer.Typer(
        cls=RootGroup, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
    )
