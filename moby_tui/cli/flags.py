"""Docker's flag syntax over Typer's, and declared commands and options as Typer has them.

Docker (pflag) accepts ``--rm=true`` and ``--sig-proxy=false`` for every boolean flag, and ``-m=512m`` for a short one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.models import CommandInfo

from moby_tui.cli import session
from moby_tui.cli.quick import FALSE, TRUE
from moby_tui.cli.table.declare import Argument, Command, Option, Options


class DockerCommand(TyperCommand):
    """A command whose flags may be written as Docker's, and whose help looks like Docker's."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [param for param in self.params if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(argument.metavar or argument.name or "" for argument in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options without the arguments, which the usage line names."""
        records = [param.get_help_record(ctx) for param in self.get_params(ctx) if isinstance(param, TyperOption)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record is not None])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._canonical(ctx, args))

    def _canonical(self, ctx: Any, args: list[str]) -> list[str]:
        """The options as the parser knows them; what follows the first word of a non-interspersed command is left alone."""
        options = {
            name: param
            for param in self.params
            if isinstance(param, TyperOption)
            for name in (*param.opts, *param.secondary_opts)
        }
        result: list[str] = []
        position = 0
        while position < len(args):
            word = args[position]
            position += 1
            if word == "--" or (not ctx.allow_interspersed_args and not _is_option(word)):
                return [*result, word, *args[position:]]
            if not _is_option(word):
                result.append(word)
                continue
            result.extend(_spelled(word, options))
            if _takes_next(word, options):
                result.extend(args[position : position + 1])
                position += 1
        return result


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _spelled(word: str, options: dict[str, TyperOption]) -> list[str]:
    name, equals, value = word.partition("=")
    if not equals:
        return [word]
    if not name.startswith("--"):
        option = options.get("-" + name[-1])
        cluster = all(flag.is_flag for letter in name[1:-1] if (flag := options.get("-" + letter)) is not None)
        if option is None or not cluster:
            return [word]
        if not option.is_flag:
            return [name + value]
        others = [name[:-1]] if len(name) > 2 else []
        return [*others, *_switched(option, "-" + name[-1], value, word)]
    option = options.get(name)
    return _switched(option, name, value, word) if option is not None and option.is_flag else [word]


def _switched(option: TyperOption, name: str, value: str, word: str) -> list[str]:
    if value in TRUE:
        return [name]
    if value in FALSE:
        return option.secondary_opts[:1]
    raise typer.BadParameter(f"invalid boolean value {value!r} in {word!r}")


def _takes_next(word: str, options: dict[str, TyperOption]) -> bool:
    """True if the next word is the option's value."""
    if word.startswith("--"):
        option = options.get(word)
        return option is not None and not option.is_flag
    for index, letter in enumerate(word[1:], 2):
        option = options.get("-" + letter)
        if option is None:
            return False
        if not option.is_flag:
            return index == len(word)
    return False


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose first parameter is a set of options, as one that has each option for a parameter of its own."""
    hints = get_type_hints(function, include_extras=True)
    first, *others = inspect.signature(function).parameters.values()
    parameters = [other.replace(annotation=hints[other.name], kind=_KEYWORD) for other in others]
    return _with_options(function, hints[first.name], parameters)


def typer_command(command: Command, function: Callable[..., Any] | None = None) -> CommandInfo:
    """A declared command as Typer registers one. ``function`` takes the place of the command's own, whose module is imported when it runs."""

    def run(*arguments: Any, **named: Any) -> Any:
        return (function or command.load())(*arguments, **named)

    parameters = [_positional(argument) for argument in command.arguments]
    return CommandInfo(
        name=command.name,
        cls=DockerCommand,
        callback=_with_options(run, command.options, parameters),
        context_settings={"allow_interspersed_args": command.interspersed},
        help=f"{command.help}\n\n{command.about}".rstrip(),
        epilog="\n".join(("\b", "Examples:", *(f"  {_named(example)}" for example in command.examples))),
    )


def _named(example: str) -> str:
    """An example by the name by which the program was called."""
    return re.sub(r"\bmoby (?=[a-z-])", f"{session.program()} ", example)


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _with_options(
    function: Callable[..., Any], options: type[Options], parameters: list[inspect.Parameter]
) -> Callable[..., Any]:
    def command(**arguments: Any) -> Any:
        chosen = {name: arguments.pop(name) for name in options.declared}
        return function(options(**chosen), **arguments)

    every = [*parameters, *(_parameter(name, option) for name, option in options.declared.items())]
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    return command


def _positional(argument: Argument) -> inspect.Parameter:
    shown = typer.Argument(metavar=argument.metavar, show_default=False)
    kind: Any = list[str] if argument.many else str
    empty: Any = inspect.Parameter.empty if argument.required else [] if argument.many else ""
    return inspect.Parameter(argument.name, _KEYWORD, default=empty, annotation=Annotated[kind, shown])


_KINDS: dict[str, Any] = {
    "bool": bool,
    "bool | None": bool | None,
    "int": int,
    "int | None": int | None,
    "str": str,
    "str | None": str | None,
    "list[str]": list[str],
}


def _parameter(name: str, option: Option) -> inspect.Parameter:
    settings: dict[str, Any] = {"help": option.help}
    if not (option.is_flag and not option.negations):
        settings["metavar"] = option.metavar
    settings.update(show_default=_shows_default(option), hidden=option.hidden)
    if option.environment:
        settings["envvar"] = list(option.environment)
    default: Any = list(option.default) if option.is_list else option.default
    if option.required:
        default = inspect.Parameter.empty
    annotation: Any = Annotated[_KINDS[option.kind], typer.Option(*option.declared, **settings)]
    return inspect.Parameter(name, _KEYWORD, default=default, annotation=annotation)


def _shows_default(option: Option) -> bool:
    """False if there is none, and if the help says it."""
    if option.is_flag:
        return bool(option.negations)
    return not option.is_list and option.default not in ("", None, 0)
