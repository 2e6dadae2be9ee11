"""Commands and their options, declared once and without a parser.

``moby_tui.cli.quick`` parses ordinary command lines from these declarations; ``moby_tui.cli.flags`` makes Typer's commands of the
same ones, for help, completion and every line that is in any way unusual. Importing Typer costs more than starting a container.
"""

from __future__ import annotations

# typing is not imported for it: every command line pays for what this module imports
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Option:
    """One option. ``kind`` is its annotation as written; the names' order is the help's."""

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        help: str,
        default: Any,
        metavar: str = "",
        hidden: bool = False,
        environment: tuple[str, ...] = (),
    ) -> None:
        on, off = [], []
        for name in names:
            first, _, second = name.partition("/")
            on.append(first)
            off.extend([second] if second else [])
        self.names, self.negations, self.declared = tuple(on), tuple(off), names
        self.help, self.default, self.metavar, self.hidden, self.environment = help, default, metavar, hidden, environment
        self.kind = ""

    @property
    def is_flag(self) -> bool:
        return self.kind in ("bool", "bool | None")

    @property
    def is_list(self) -> bool:
        return self.kind.startswith("list[")

    @property
    def is_number(self) -> bool:
        return self.kind.startswith("int")


class Argument:
    """One positional argument; ``many`` takes all that is left, which may be nothing unless it is ``required``."""

    def __init__(self, name: str, metavar: str, *, many: bool = False, required: bool = True) -> None:
        self.name, self.metavar, self.many, self.required = name, metavar, many, required


def switch(*names: str, help: str, default: bool | None = False) -> Any:
    """A boolean flag, off unless given. ``default`` None tells apart whether it was given."""
    return Option(names, help=help, default=default)


def many(*names: str, help: str, metavar: str = "list") -> Any:
    """An option that may come several times."""
    return Option(names, help=help, default=(), metavar=metavar)


def value(
    *names: str, help: str, default: Any = "", metavar: str = "string", hidden: bool = False, environment: tuple[str, ...] = ()
) -> Any:
    """An option with one value. ``environment`` names the variables that stand in for it, the first that is set."""
    return Option(names, help=help, default=default, metavar=metavar, hidden=hidden, environment=environment)


class Options:
    """A set of options: each attribute of a subclass that ``switch``, ``many`` or ``value`` made; in instances what was chosen."""

    declared: dict[str, Option] = {}  # noqa: RUF012 - each subclass has its own

    def __init_subclass__(cls) -> None:
        cls.declared = {}
        for base in reversed(cls.__mro__):
            for name, option in vars(base).items():
                if isinstance(option, Option):
                    option.kind = option.kind or base.__annotations__[name]
                    cls.declared[name] = option

    def __init__(self, **chosen: Any) -> None:
        for name, option in self.declared.items():
            setattr(self, name, chosen[name] if name in chosen else list(option.default) if option.is_list else option.default)


class Command:
    """A command: called with an instance of ``options``, then the positional arguments by name."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        options: type[Options],
        arguments: tuple[Argument, ...],
        *,
        interspersed: bool,
        epilog: str,
    ) -> None:
        self.name, self.function, self.options, self.arguments = name, function, options, arguments
        self.interspersed, self.epilog = interspersed, epilog


def command(
    name: str, options: type[Options], *arguments: Argument, interspersed: bool = True, epilog: str = ""
) -> Callable[[Callable[..., Any]], Command]:
    """Declares a function as a command. Not ``interspersed``: options end at the first argument."""

    def declare(function: Callable[..., Any]) -> Command:
        return Command(name, function, options, arguments, interspersed=interspersed, epilog=epilog)

    return declare


def declared_in(module: object, name: str) -> Command | None:
    """The command of this name that a module declares."""
    return next((found for found in vars(module).values() if isinstance(found, Command) and found.name == name), None)
