"""Parses the ordinary command line from the declarations alone.

It knows valid lines only, and reads them as Typer does (``tests/cli/test_quick.py`` holds the two against each other). Whatever
it does not understand, it leaves to Typer, which has the words for what is wrong.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from moby_tui.cli.table.declare import Command, Option, Options

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class NotUnderstood(Exception):
    """Raised for a command line that Typer has to parse."""


class Line:
    """A command line in parts: the options by field, and the words that are no options."""

    def __init__(self, options: type[Options], words: Sequence[str], *, interspersed: bool) -> None:
        self.chosen: dict[str, Any] = {}
        self.rest: list[str] = []
        #: fields of one value that were given more than one
        self.repeated: set[str] = set()
        self._fields = {}
        for field, option in options.declared.items():
            self._fields.update(dict.fromkeys((*option.names, *option.negations), (field, option)))
        self._words = list(words)
        self._parse(interspersed)

    def _parse(self, interspersed: bool) -> None:
        position = 0
        while position < len(self._words):
            word = self._words[position]
            position += 1
            if word == "--":
                self.rest.extend(self._words[position:])
                return
            if not word.startswith("-") or word == "-":
                if not interspersed:
                    self.rest.extend(self._words[position - 1 :])
                    return
                self.rest.append(word)
                continue
            needs_value = self._long(word) if word.startswith("--") else self._short(word)
            if needs_value is not None:
                if position == len(self._words):
                    raise NotUnderstood
                self._choose(*needs_value, self._words[position])
                position += 1

    def _long(self, word: str) -> tuple[str, Option] | None:
        """Takes ``--name`` or ``--name=value``; returns the option whose value is the next word."""
        name, equals, value = word.partition("=")
        field, option = self._named(name)
        if option.is_flag:
            self._switch(field, option, name, value if equals else "true")
        elif equals:
            self._choose(field, option, value)
        else:
            return field, option
        return None

    def _short(self, word: str) -> tuple[str, Option] | None:
        """Takes ``-a``, ``-ab``, ``-avalue``, ``-a=value`` or ``-ab=value``; returns the option whose value is the next word."""
        for index, letter in enumerate(word[1:], 2):
            field, option = self._named("-" + letter)
            rest = word[index:]
            if option.is_flag:
                if rest.startswith("="):
                    self._switch(field, option, "-" + letter, rest[1:])
                    return None
                self._switch(field, option, "-" + letter, "true")
            elif rest:
                self._choose(field, option, rest.removeprefix("="))
                return None
            else:
                return field, option
        return None

    def _named(self, name: str) -> tuple[str, Option]:
        if name not in self._fields:
            raise NotUnderstood
        return self._fields[name]

    def _switch(self, field: str, option: Option, name: str, value: str) -> None:
        if value in TRUE:
            self.chosen[field] = name not in option.negations
        elif value in FALSE and name not in option.negations:
            # as Typer has it: a flag that has no opposite is not taken back, it is not given
            if option.negations:
                self.chosen[field] = False
        else:
            raise NotUnderstood

    def _choose(self, field: str, option: Option, value: str) -> None:
        if field in self.chosen and not option.is_list:
            self.repeated.add(field)
        if option.is_number:
            if not value.removeprefix("-").isdecimal() or not value.isascii():
                raise NotUnderstood
            self.chosen[field] = int(value)
        elif option.is_list:
            self.chosen.setdefault(field, []).append(value)
        else:
            self.chosen[field] = value


def from_environment(options: type[Options], environment: Mapping[str, str]) -> dict[str, str]:
    """The options that environment variables set; an empty variable sets none."""
    return {
        field: next(environment[name] for name in option.environment if environment.get(name))
        for field, option in options.declared.items()
        if any(environment.get(name) for name in option.environment)
    }


def arguments(command: Command, words: Sequence[str]) -> dict[str, Any]:
    """The positional arguments by name. Raises ``NotUnderstood`` for too few or too many."""
    left = list(words)
    values: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.required and not left:
            raise NotUnderstood
        if argument.many:
            values[argument.name], left = left, []
        else:
            values[argument.name] = left.pop(0) if left else ""
    if left:
        raise NotUnderstood
    return values


def parse(command: Command, words: Sequence[str]) -> tuple[Options, dict[str, Any]]:
    """The options and the positional arguments of one command. Raises ``NotUnderstood``."""
    line = Line(command.options, words, interspersed=command.interspersed)
    if any(option.required and field not in line.chosen for field, option in command.options.declared.items()):
        raise NotUnderstood
    return command.options(**line.chosen), arguments(command, line.rest)
