"""The names of all commands and the modules that hold them. A module is imported when its command is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from moby_tui.cli.flags import DockerCommand

#: 128 and SIGPIPE, as the shell has it for a program that writes to nobody.
EXIT_BROKEN_PIPE = 141

#: For each name its module in ``moby_tui.cli.commands`` and the name it has there.
CONTAINER = {
    "attach": "attach",
    "cp": "copy",
    "create": "create",
    "diff": "look",
    "exec": "execute",
    "export": "copy",
    "inspect": "inspect:container",
    "kill": "lifecycle",
    "logs": "logs",
    "ls": "containers:ps",
    "pause": "lifecycle",
    "port": "look",
    "prune": "prune:container",
    "rename": "lifecycle",
    "restart": "lifecycle",
    "rm": "lifecycle",
    "run": "run",
    "start": "start",
    "stats": "stats",
    "stop": "lifecycle",
    "top": "look",
    "unpause": "lifecycle",
    "wait": "lifecycle",
}
IMAGE = {
    "build": "build",
    "history": "images",
    "import": "archives",
    "inspect": "inspect:image",
    "load": "archives",
    "ls": "images:images",
    "prune": "prune:image",
    "pull": "pull",
    "rm": "images:rmi",
    "tag": "images",
}
NETWORK = {"inspect": "inspect:network", "ls": "networks"}
VOLUME = {"create": "volumes", "inspect": "inspect:volume", "ls": "volumes", "prune": "prune:volume", "rm": "volumes"}
SYSTEM = {"df": "system", "events": "events", "info": "system", "prune": "prune:system"}

_ALIASES = {"list": "ls", "remove": "rm"}
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "container": ("Manage containers", CONTAINER),
    "image": ("Manage images", IMAGE),
    "network": ("Manage networks", NETWORK),
    "volume": ("Manage volumes", VOLUME),
    "system": ("Manage the engine", SYSTEM),
    "builder": ("Manage builds", {"build": "build"}),
}
_LEAVES = {
    **{name: where for name, where in CONTAINER.items() if name not in ("ls", "inspect", "prune")},
    **{name: IMAGE[name] for name in ("build", "history", "import", "load", "pull", "tag")},
    "ps": "containers",
    "images": "images",
    "rmi": "images",
    "events": "events",
    "info": "system",
    "inspect": "inspect",
    "version": "version",
    "daemon": "doors",
    "tui": "doors",
    "completion": "completion",
}
#: What Docker has and this engine does not have yet.
MISSING = frozenset(
    {
        *("bake", "checkpoint", "commit", "config", "context", "login", "logout", "manifest", "node", "plugin"),
        *("push", "save", "search", "secret", "service", "stack", "swarm", "trust", "update"),
    }
)


def _load(where: str, name: str) -> CommandInfo:
    module_name, _, registered = where.partition(":")
    module = importlib.import_module(f"moby_tui.cli.commands.{module_name}")
    infos: list[CommandInfo] = module.app.registered_commands
    return next(info for info in infos if info.name == (registered or name))


class LazyGroup(TyperGroup):
    """A group that knows the names of its commands, and imports one when it is called."""

    leaves: Mapping[str, str] = MappingProxyType({})
    groups: Mapping[str, tuple[str, dict[str, str]]] = MappingProxyType({})

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*self.leaves, *self.groups})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = _ALIASES.get(cmd_name, cmd_name) if self.leaves is not _LEAVES else cmd_name
        if name in self.groups:
            summary, leaves = self.groups[name]
            return subgroup(name, summary, leaves)
        if name not in self.leaves:
            return None
        info = _load(self.leaves[name], name)
        info.cls = DockerCommand
        return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name in MISSING and self.leaves is _LEAVES:
            from moby_tui.errors import NotImplementedYet

            raise NotImplementedYet(f"command {name}")
        known = self.list_commands(ctx)
        if name not in known and name not in _ALIASES and not name.startswith("-"):
            from difflib import get_close_matches

            hint = get_close_matches(name, known, n=1)
            ctx.fail(f"unknown command {name!r}" + (f"; did you mean {hint[0]!r}?" if hint else ""))
        return super().resolve_command(ctx, args)


class RootGroup(LazyGroup):
    leaves = _LEAVES
    groups = GROUPS

    def invoke(self, ctx: Any) -> Any:
        """Typer ends the process by itself on a broken pipe, with the exit code of a failure; we say what it was."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(EXIT_BROKEN_PIPE) from None


def subgroup(name: str, summary: str, leaves: dict[str, str]) -> LazyGroup:
    group = LazyGroup(name=name, help=summary, no_args_is_help=True, rich_markup_mode=None)
    group.leaves = leaves
    return group


def root() -> typer.Typer:
    """An empty Typer application whose commands are found by name."""
    return typer.Typer(cls=RootGroup, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
