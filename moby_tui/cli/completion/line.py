"""Reads an unfinished command line: which command it calls, what is chosen before it, and what its last word is to be."""

from __future__ import annotations

import sys

from moby_tui.cli.completion.summaries import SUMMARIES
from moby_tui.cli.completion.vocabulary import ARGUMENTS, CHANGED, FILES, FOLDERS, MORE, NOTHING, VALUES, VALUES_OF
from moby_tui.cli.declare import declared_in
from moby_tui.cli.global_options import GlobalOptions
from moby_tui.cli.names import ALIASES, GROUPS, LEAVES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from moby_tui.cli.completion.vocabulary import Kind
    from moby_tui.cli.declare import Options


class Known:
    """An option as completion knows it; ``field`` is its name in ``Options``."""

    def __init__(
        self,
        field: str,
        names: Sequence[str],
        help: str = "",
        *,
        takes_value: bool = False,
        repeats: bool = False,
        metavar: str = "",
    ) -> None:
        self.field, self.names, self.help = field, tuple(names), help
        self.takes_value, self.repeats, self.metavar = takes_value, repeats, metavar

    @property
    def name(self) -> str:
        """The first long name; the short one of an option that has none."""
        return next((name for name in self.names if name.startswith("--")), self.names[0])


class Scan:
    """The words before the last one: which options are chosen, which words are arguments, and what is still open."""

    def __init__(self, options: Iterable[Known], words: Sequence[str], *, interspersed: bool) -> None:
        self._by_name = {name: option for option in options for name in option.names}
        self.chosen: list[tuple[Known, str]] = []
        self.rest: list[str] = []
        #: the option whose value the last word is
        self.open: Known | None = None
        #: no option can follow
        self.ended = False
        for index, word in enumerate(words):
            if self.open:
                self.chosen.append((self.open, word))
                self.open = None
            elif word == "--":
                self.ended = True
                self.rest.extend(words[index + 1 :])
                return
            elif word.startswith("-") and word != "-":
                self._option(word)
            elif interspersed:
                self.rest.append(word)
            else:
                self.ended = True
                self.rest.extend(words[index:])
                return

    def _option(self, word: str) -> None:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            self._choose(name, value, attached=bool(equals))
            return
        for index, letter in enumerate(word[1:], 2):
            option = self._by_name.get("-" + letter)
            if option is None or option.takes_value:
                self._choose("-" + letter, word[index:].removeprefix("="), attached=index < len(word))
                return
            self._choose("-" + letter, "", attached=False)

    def _choose(self, name: str, value: str, *, attached: bool) -> None:
        option = self._by_name.get(name)
        if option is None:
            return
        if option.takes_value and not attached:
            self.open = option
        else:
            self.chosen.append((option, value))

    def value_of(self, word: str) -> tuple[Known, str] | None:
        """The option and what there is of its value, of the last word: after the option, or in ``--option=value``."""
        if self.open:
            return self.open, word
        name, equals, value = word.partition("=")
        option = self._by_name.get(name)
        if self.ended or not (equals and word.startswith("-") and option and option.takes_value):
            return None
        return option, value

    def options(self) -> Iterator[tuple[str, str]]:
        """The names of the options that may still be given, each with its help."""
        given = {option.field for option, _ in self.chosen if not option.repeats}
        for name, option in sorted(self._by_name.items(), key=lambda pair: (pair[0].lstrip("-"), pair[0])):
            if option.field not in given:
                yield name, option.help


_HELP = Known("help", ("--help",), "Show this message and exit")


class Place:
    """The end of a command line. Either ``words`` are all that can stand there, each with what it is, or ``kind`` says what can."""

    def __init__(
        self, prefix: str, kind: Kind = NOTHING, words: Iterable[tuple[str, str]] = (), given: Iterable[str] = ()
    ) -> None:
        """``prefix`` is what is there of the word, ``given`` the arguments that are there already."""
        self.prefix, self.kind, self.words, self.given = prefix, kind, list(words), frozenset(given)


def read(words: Sequence[str]) -> tuple[dict[str, object], Place]:
    """The global options that are chosen, by field, and the place of the last word, which may be empty."""
    *before, last = words or [""]
    options = [*_declared(GlobalOptions), Known("version", ("-v", "--version"), "Print the version and quit"), _HELP]
    scan = Scan(options, before, interspersed=False)
    chosen: dict[str, object] = {}
    for option, value in scan.chosen:
        if option.field in GlobalOptions.declared:
            earlier = chosen.get(option.field, [])
            chosen[option.field] = [*earlier, value] if option.repeats else value if option.takes_value else True  # type: ignore[misc]
    if not scan.rest:
        return chosen, _option_or(scan, "", last, Place(last, words=_commands("", {**LEAVES, **GROUPS})))
    return chosen, _in_command(scan.rest, last)


def _in_command(words: Sequence[str], last: str) -> Place:
    group, leaves = "", LEAVES
    name, *words = words
    if name in GROUPS:
        group, leaves = name, GROUPS[name][1]
        if not words:
            return Place(last, words=[("--help", _HELP.help)] if last.startswith("-") else _commands(group, leaves))
        name, *words = words
        name = ALIASES.get(name, name)
    if name not in leaves:
        return Place(last)
    where = leaves[name] if ":" in leaves[name] else f"{leaves[name]}:{name}"
    if any(word.startswith("-") for word in (*words, last)):
        options, interspersed = _options_of(where)
        scan = Scan(options, words, interspersed=interspersed)
        kinds = next(
            (CHANGED[key] for option, value in scan.chosen if (key := (where, option.name, value)) in CHANGED),
            ARGUMENTS.get(where, ()),
        )
        return _option_or(scan, where, last, _argument(kinds, scan.rest, last))
    return _argument(ARGUMENTS.get(where, ()), words, last)


def _commands(group: str, names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name in sorted(names):
        yield name, SUMMARIES.get(group, {}).get(name, "") if group or name not in GROUPS else GROUPS[name][0]


def _option_or(scan: Scan, where: str, last: str, argument: Place) -> Place:
    """The option, or value of one, that the last word begins; else the argument."""
    if value := scan.value_of(last):
        option, begun = value
        given = [earlier for other, earlier in scan.chosen if other is option]
        return Place(begun, _kind_of_value(where, option), given=given)
    if last.startswith("-") and not scan.ended:
        return Place(last, words=scan.options())
    return argument


def _kind_of_value(where: str, option: Known) -> Kind:
    kind = VALUES_OF.get((where, option.name)) or next((VALUES[name] for name in option.names if name in VALUES), None)
    if kind is not None:
        return kind
    is_file = option.metavar in ("path", "file") or option.name.endswith("file")
    return FILES if is_file else NOTHING


def _argument(kinds: Sequence[Kind], given: Sequence[str], last: str) -> Place:
    if kinds[-1:] == (MORE,):
        kinds = (*kinds[:-1], *[kinds[-2]] * (len(given) + 1))
    kind = kinds[len(given)] if len(given) < len(kinds) else NOTHING
    return Place(last, kind, given=() if kind in (FILES, FOLDERS) else given)


def _options_of(where: str) -> tuple[list[Known], bool]:
    """The options of a command, and whether they may follow its arguments."""
    path, _, name = where.partition(":")
    module = f"moby_tui.cli.commands.{path}"
    # not `import_module`: importlib would have to be imported
    __import__(module)
    command = declared_in(sys.modules[module], name)
    if command is not None:
        return [*_declared(command.options), _HELP], command.interspersed
    from moby_tui.cli import tree

    found = tree.subgroup("", "", {name: where}).get_command(None, name)
    return [*_of_typer(found.params), _HELP], found.context_settings.get("allow_interspersed_args", True)


def _of_typer(parameters: Iterable[Any]) -> Iterator[Known]:
    for found in parameters:
        if found.param_type_name == "option" and not found.hidden:
            yield Known(
                found.name,
                (*found.opts, *found.secondary_opts),
                found.help or "",
                takes_value=not found.is_flag,
                repeats=found.multiple,
                metavar=found.metavar or "",
            )


def _declared(options: type[Options]) -> Iterator[Known]:
    for field, option in options.declared.items():
        if not option.hidden:
            names = (*option.names, *option.negations)
            yield Known(field, names, option.help, takes_value=not option.is_flag, repeats=option.is_list, metavar=option.metavar)
