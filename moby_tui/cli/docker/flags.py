"""Options as docker's parser (spf13/pflag) reads them, in the order in which they stand, with its words for what is wrong."""

from __future__ import annotations

from moby_tui.cli.docker.checks import check_of
from moby_tui.cli.docker.values import number, quoted
from moby_tui.cli.quick import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from moby_tui.cli.table.declare import Option, Options

#: Options that may stand once only, and what docker says of another one.
_ONCE = {"--host": "specify only one -H"}
HELP = "--help"


class FlagError(Exception):
    """An option cannot be read."""


class Flags:
    """The options of a line by field, and the words that are none. Raises ``FlagError``.

    ``help`` is true if the page of help is wanted. ``is_shorthand_used``: by ``-h``, which is an option of its own with some commands.
    """

    def __init__(self, options: type[Options], words: Sequence[str], *, interspersed: bool) -> None:
        self.chosen: dict[str, Any] = {}
        self.rest: list[str] = []
        self.help = self.is_shorthand_used = False
        self._named: dict[str, tuple[str, Option]] = {}
        for field, option in options.declared.items():
            self._named.update(dict.fromkeys((*option.names, *option.negations), (field, option)))
        self._words = list(words)
        while self._words:
            word = self._words.pop(0)
            if word == "--":
                break
            if word.startswith("--"):
                self._long(word)
            elif word.startswith("-") and word != "-":
                self._short(word[1:])
            elif interspersed:
                self.rest.append(word)
            else:
                self._words.insert(0, word)
                break
        self.rest += self._words

    def takes_value(self, name: str) -> bool:
        """True if the next word is the value of the option of this name; also of an unknown one."""
        if name in (HELP, "-h") and name not in self._named:
            return False
        return name not in self._named or not self._named[name][1].is_flag

    def _long(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if name[2:3] in ("", "-"):
            raise FlagError(f"bad flag syntax: {word}")
        if name == HELP and name not in self._named:
            self.help = self._boolean(value if equals else "true", HELP)
            return
        if name not in self._named:
            raise FlagError(f"unknown flag: {name}")
        field, option = self._named[name]
        if equals:
            self._choose(field, option, name, value)
        elif option.is_flag:
            self._choose(field, option, name, "true")
        elif self._words:
            self._choose(field, option, name, self._words.pop(0))
        else:
            raise FlagError(f"flag needs an argument: {word}")

    def _short(self, letters: str) -> None:
        while letters:
            name, rest = f"-{letters[0]}", letters[1:]
            if name == "-h" and name not in self._named:
                self.help = self.is_shorthand_used = True
                letters = rest
                continue
            if name not in self._named:
                raise FlagError(f"unknown shorthand flag: '{letters[0]}' in -{letters}")
            field, option = self._named[name]
            if len(rest) > 1 and rest[0] == "=":
                self._choose(field, option, name, rest[1:])
                return
            if option.is_flag:
                self._choose(field, option, name, "true")
                letters = rest
                continue
            if not rest and not self._words:
                raise FlagError(f"flag needs an argument: '{letters[0]}' in -{letters}")
            self._choose(field, option, name, rest or self._words.pop(0))
            return

    def _choose(self, field: str, option: Option, name: str, value: str) -> None:
        shown = _shown(option, name)
        if option.is_flag:
            self.chosen[field] = self._boolean(value, shown) != (name in option.negations)
            return
        if field in self.chosen and option.names[-1] in _ONCE:
            raise FlagError(f"invalid argument {quoted(value)} for {quoted(shown)} flag: {_ONCE[option.names[-1]]}")
        check = check_of(option)
        try:
            if check is not None:
                check(value)
            if option.is_number:
                self.chosen[field] = number(value)
                return
        except ValueError as error:
            raise FlagError(f"invalid argument {quoted(value)} for {quoted(shown)} flag: {error}") from None
        if option.is_list:
            self.chosen.setdefault(field, []).append(value)
        else:
            self.chosen[field] = value

    @staticmethod
    def _boolean(value: str, shown: str) -> bool:
        if value in TRUE:
            return True
        if value in FALSE:
            return False
        text = f"strconv.ParseBool: parsing {quoted(value)}: invalid syntax"
        raise FlagError(f"invalid argument {quoted(value)} for {quoted(shown)} flag: {text}")


def _shown(option: Option, name: str) -> str:
    """An option as an error names it: with its shorthand, unless it is an older name."""
    long = [other for other in option.names if other.startswith("--")]
    short = [other for other in option.names if not other.startswith("--")]
    if name.startswith("--") and long and name != long[0]:
        return name
    return ", ".join([*short[:1], *long[:1]])
