"""Docker's flag syntax over Typer's, and option sets that are declared once as a dataclass.

Docker (pflag) accepts ``--rm=true`` and ``--sig-proxy=false`` for every boolean flag, and ``-m=512m`` for a short one.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class DockerCommand(TyperCommand):
    """A command whose flags may be written as Docker's, and whose help looks like Docker's."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [param for param in self.params if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(argument.metavar or argument.name or "" for argument in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options alone: the usage line has said what the arguments are."""
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
    if value in _TRUE:
        return [name]
    if value in _FALSE:
        return option.secondary_opts[:1]
    raise typer.BadParameter(f"invalid boolean value {value!r} in {word!r}")


def _takes_next(word: str, options: dict[str, TyperOption]) -> bool:
    """Whether the word after this one is the option's value."""
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


def switch(*names: str, help: str) -> Any:
    """A boolean flag, off unless given."""
    return dataclasses.field(default=False, metadata={"option": typer.Option(*names, help=help)})


def many(*names: str, help: str, metavar: str = "list") -> Any:
    """An option that may come several times."""
    return dataclasses.field(default_factory=list, metadata={"option": typer.Option(*names, help=help, metavar=metavar)})


def value(*names: str, help: str, default: Any = "", metavar: str = "string", hidden: bool = False) -> Any:
    """An option with one value."""
    shown = default not in ("", None, 0)
    option = typer.Option(*names, help=help, metavar=metavar, show_default=shown, hidden=hidden)
    return dataclasses.field(default=default, metadata={"option": option})


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose first parameter is a dataclass of options, as one that has each field for a parameter of its own."""
    hints = get_type_hints(function, include_extras=True)
    first, *others = inspect.signature(function).parameters.values()
    options = hints[first.name]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [other.replace(annotation=hints[other.name], kind=keyword) for other in others]
    parameters.extend(_parameter(field, kind) for field, kind in _fields(options))

    @functools.wraps(function)
    def command(**arguments: Any) -> Any:
        chosen = {field.name: arguments.pop(field.name) for field in dataclasses.fields(options)}
        return function(options(**chosen), **arguments)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _fields(options: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    kinds = get_type_hints(options)
    return [(field, kinds[field.name]) for field in dataclasses.fields(options)]


def _parameter(field: dataclasses.Field[Any], kind: Any) -> inspect.Parameter:
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    annotation: Any = Annotated[kind, field.metadata["option"]]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
