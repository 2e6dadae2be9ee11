"""What a declaration consists of: nouns, commands, arguments and options, without a parser; and options that several nouns share."""

from __future__ import annotations

import sys

# typing is not imported for it: every command line pays for what this module imports
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Option:
    """One option. ``kind`` is its annotation as written; the names' order is the help's.

    ``completes`` says what its value is: a name of ``completion.vocabulary``, or words with | between them.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        help: str,
        default: Any,
        metavar: str = "",
        hidden: bool = False,
        environment: tuple[str, ...] = (),
        completes: str = "",
        required: bool = False,
    ) -> None:
        on, off = [], []
        for name in names:
            first, _, second = name.partition("/")
            on.append(first)
            off.extend([second] if second else [])
        self.names, self.negations, self.declared = tuple(on), tuple(off), names
        self.help, self.default, self.metavar, self.hidden, self.environment = help, default, metavar, hidden, environment
        self.completes, self.required = completes, required
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
    """One positional argument; ``many`` takes all that is left, which may be nothing unless it is ``required``.

    ``completes`` is as an option's; ``given`` has what is named instead if an option has a value (empty: a flag is given).
    ``only_with`` names the field of the option without which there is no such argument.
    """

    def __init__(
        self,
        name: str,
        metavar: str,
        *,
        many: bool = False,
        required: bool = True,
        completes: str = "",
        given: Mapping[tuple[str, str], str] | None = None,
        only_with: str = "",
    ) -> None:
        self.only_with = only_with
        self.name, self.metavar, self.many, self.required = name, metavar, many, required
        self.completes, self.given = completes, given or {}

    @property
    def usage(self) -> str:
        """As docker writes it: ``CONTAINER [CONTAINER...]`` for one or more."""
        name = self.metavar.removesuffix("...")
        return f"{name} [{name}...]" if self.metavar.endswith("...") and "[" not in self.metavar else self.metavar


def switch(*names: str, help: str, default: bool | None = False) -> Any:
    """A boolean flag, off unless given. ``default`` None tells apart whether it was given."""
    return Option(names, help=help, default=default)


def dry_run() -> Any:
    """The option of commands that destroy."""
    return switch("--dry-run", help="Only tell what would be removed, and the space that comes back")


def table_format() -> Any:
    """The option of commands that print a table."""
    return value("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", completes="json")


def json_format() -> Any:
    """The option of commands that print something of their own, and as JSON too."""
    return value("--format", help="'json' or a Go template", completes="json")


def many(*names: str, help: str, metavar: str = "list", completes: str = "", required: bool = False) -> Any:
    """An option that may come several times."""
    return Option(names, help=help, default=(), metavar=metavar, completes=completes, required=required)


def value(
    *names: str,
    help: str,
    default: Any = "",
    metavar: str = "string",
    hidden: bool = False,
    environment: tuple[str, ...] = (),
    completes: str = "",
) -> Any:
    """An option with one value. ``environment`` names the variables that stand in for it, the first that is set."""
    return Option(names, help=help, default=default, metavar=metavar, hidden=hidden, environment=environment, completes=completes)


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


class TrustOptions(Options):
    """Of what docker's command line can have verified by a trust server; without one, ``--disable-content-trust`` is how it is."""

    disable_content_trust: bool = value(
        "--disable-content-trust/--no-disable-content-trust",
        default=True,
        metavar="",
        help="Skip the verification of images by a trust server (there is none)",
    )


class FormatOptions(Options):
    """Of what shows one object."""

    format: str = value("-f", "--format", help="'json' or a Go template", completes="json")


class PruneOptions(Options):
    """Of what removes all that is unused."""

    force: bool = switch("-f", "--force", help="Do not prompt for confirmation")
    filter: list[str] = many("--filter", help='Provide filter values (e.g. "until=24h")', metavar="filter")
    dry_run: bool = dry_run()


class Command:
    """A command: its function is called with an instance of ``options``, then the positional arguments by name."""

    def __init__(
        self,
        name: str,
        function: str,
        options: type[Options] | str,
        *arguments: Argument,
        help: str,
        examples: Sequence[str],
        about: str = "",
        aliases: Sequence[str] = (),
        root: str = "",
        interspersed: bool = True,
        destroys: bool = False,
        status: str = "",
        usage: str = "",
    ) -> None:
        """``function`` is ``module:name`` below ``moby_tui.cli.commands``; so may ``options`` be below ``moby_tui.cli.table``, if they are
        many and seldom needed. ``help`` is one sentence, ``about`` what else is to be said.

        ``root`` is its name without its noun, empty if it has none. Not ``interspersed``: options end at the first argument.
        ``destroys``: something is lost by it, and ``--dry-run`` tells what. ``status`` tells exit codes other than the usual ones.
        ``usage`` is what docker's usage line says of the arguments, if it is not what they say of themselves.
        """
        self.name, self.function, self._options, self.arguments = name, function, options, arguments
        self.help, self.about, self.examples = help, about, examples
        self.aliases, self.root, self.interspersed, self.destroys = aliases, root, interspersed, destroys
        self.status, self.usage = status, usage

    @property
    def options(self) -> type[Options]:
        if isinstance(self._options, str):
            self._options = _imported("moby_tui.cli.table", self._options)
        options: type[Options] = self._options  # type: ignore[assignment]
        return options

    def load(self) -> Callable[..., Any]:
        """Imports the module of its function, and returns the function."""
        function: Callable[..., Any] = _imported("moby_tui.cli.commands", self.function)
        return function


def _imported(package: str, reference: str) -> Any:
    """What ``module:name`` stands for in a package."""
    module, _, name = reference.partition(":")
    # not `import_module`: importlib would have to be imported
    __import__(f"{package}.{module}")
    return getattr(sys.modules[f"{package}.{module}"], name)


class Noun:
    """What commands are about: ``moby volume ls``. The noun without a name has the commands that are about nothing in particular."""

    def __init__(self, name: str, help: str, *commands: Command) -> None:
        self.name, self.help, self.commands = name, help, commands
        if not name:
            for command in commands:
                command.root = command.name

    def find(self, name: str) -> Command | None:
        """The command of this name or alias."""
        for command in self.commands:
            if name == command.name or name in command.aliases:
                return command
        return None
