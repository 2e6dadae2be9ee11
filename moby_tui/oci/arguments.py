"""Options as runc takes them: ``--name value``, ``--name=value``, one dash or two, before the first word that is none."""

from __future__ import annotations

from collections.abc import Sequence


class UsageError(Exception):
    """The command line itself is wrong."""


class Options:
    """What was given: ``flags``, the last value of each option, and all values of those that may come several times."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.words: list[str] = []

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def number(self, name: str) -> int:
        """Raises ``UsageError``."""
        text = self.values.get(name, "0")
        if not text.isdecimal():
            raise UsageError(f"--{name} takes a number, not {text!r}")
        return int(text)

    def __contains__(self, name: str) -> bool:
        return name in self.flags or name in self.values or name in self.lists


#: The options of a command: ``flag`` takes no value, ``value`` one, ``list`` one each time it comes. A short name leads to the long one.
Known = dict[str, str]


def parse(arguments: Sequence[str], known: Known, short: dict[str, str] | None = None) -> Options:
    """Raises ``UsageError``. What begins at the first word that is no option is in ``words``, unread."""
    options, rest = Options(), list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        name = (short or {}).get(name, name)
        kind = known.get(name)
        if kind is None:
            raise UsageError(f"unknown option {word}")
        if kind == "flag":
            _switch(options, name, value if equals else "true")
            continue
        if not equals:
            if not rest:
                raise UsageError(f"option {word} needs a value")
            value = rest.pop(0)
        if kind == "list":
            options.lists.setdefault(name, []).append(value)
        else:
            options.values[name] = value
    options.words = rest
    return options


def _switch(options: Options, name: str, value: str) -> None:
    if value not in ("true", "false"):
        raise UsageError(f"--{name} takes true or false, not {value!r}")
    options.flags.discard(name)
    if value == "true":
        options.flags.add(name)
