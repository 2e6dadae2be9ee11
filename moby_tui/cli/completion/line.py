"""Reads an unfinished command line: which command it calls, what is chosen before it, and what its last word is to be."""

from __future__ import annotations

from moby_tui.cli.completion.vocabulary import FILES, FOLDERS, NOTHING, kind_of
from moby_tui.cli.table import root
from moby_tui.cli.table.root import GlobalOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from moby_tui.cli.completion.vocabulary import Kind
    from moby_tui.cli.table.declare import Argument, Command, Options


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
        kind: Kind = NOTHING,
    ) -> None:
        """``kind`` is what its value is."""
        self.field, self.names, self.help = field, tuple(names), help
        self.takes_value, self.repeats, self.kind = takes_value, repeats, kind

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
        return chosen, _option_or(scan, last, Place(last, words=sorted(_roots())))
    return chosen, _in_command(scan.rest, last)


def _roots() -> Iterator[tuple[str, str]]:
    for name in filter(None, root.NOUNS):
        yield name, root.noun(name).help
    for command in root.without_noun():
        yield command.root, _summary(command)


def _summary(command: Command) -> str:
    return command.help.rstrip(".")


def _in_command(words: Sequence[str], last: str) -> Place:
    if words[0] in filter(None, root.NOUNS) and len(words) == 1:
        commands = ((command.name, _summary(command)) for command in root.noun(words[0]).commands)
        return Place(last, words=[("--help", _HELP.help)] if last.startswith("-") else sorted(commands))
    entry = root.find(words)
    if entry is None:
        return Place(last)
    command, words = entry
    scan = Scan([*_declared(command.options), _HELP], words, interspersed=command.interspersed)
    return _option_or(scan, last, _argument(command.arguments, scan, last))


def _option_or(scan: Scan, last: str, argument: Place) -> Place:
    """The option, or value of one, that the last word begins; else the argument."""
    if value := scan.value_of(last):
        option, begun = value
        given = [earlier for other, earlier in scan.chosen if other is option]
        return Place(begun, option.kind, given=given)
    if last.startswith("-") and not scan.ended:
        return Place(last, words=scan.options())
    return argument


def _argument(arguments: Sequence[Argument], scan: Scan, last: str) -> Place:
    index = len(scan.rest)
    if index >= len(arguments) and not (arguments and arguments[-1].many):
        return Place(last)
    argument = arguments[min(index, len(arguments) - 1)]
    chosen = ((option.name, value) for option, value in scan.chosen)
    completes = next((argument.given[key] for key in chosen if key in argument.given), argument.completes)
    kind = kind_of(completes)
    return Place(last, kind, given=() if kind in (FILES, FOLDERS) else scan.rest)


def _declared(options: type[Options]) -> Iterator[Known]:
    for field, option in options.declared.items():
        if not option.hidden:
            names = (*option.names, *option.negations)
            is_file = option.metavar in ("path", "file") or names[-1].endswith("file")
            kind = kind_of(option.completes or ("files" if is_file else ""))
            yield Known(field, names, option.help, takes_value=not option.is_flag, repeats=option.is_list, kind=kind)
