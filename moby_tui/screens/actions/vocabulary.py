"""The commands of the prompt: their words, what may follow, completion. No widgets."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

#: Gives the names of one kind, for completion: ``container``.
Names = Callable[[str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """``words`` begin the line: ``volume rm``. ``kind`` is what the arguments name, empty if nothing is completed.

    ``run`` is given the arguments; it may raise ``ValueError`` with one line that says what to do.
    """

    words: str
    about: str
    run: Callable[[list[str]], object]
    kind: str = ""


class Vocabulary:
    """Of two commands with the same words the first counts."""

    def __init__(self, commands: Iterable[Command], names: Names) -> None:
        self._commands: dict[str, Command] = {}
        for command in commands:
            self._commands.setdefault(command.words, command)
        self._names = names

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def find(self, line: str) -> tuple[Command, list[str]]:
        """The command of a line and its arguments. The words may be shortened as long as they mean one command.

        Raises ``ValueError`` for none or several, and for an open quotation.
        """
        typed = shlex.split(line)
        for count in range(len(typed), 0, -1):
            if command := self._commands.get(" ".join(typed[:count])):
                return command, typed[count:]
        if not typed:
            raise ValueError("no command; type one, or press tab for what there is")
        meant = [command for command in self._commands.values() if command.words.startswith(typed[0])]
        if len(meant) == 1:
            return meant[0], typed[1:]
        if meant:
            raise ValueError(f"{typed[0]} may be {', '.join(command.words for command in meant[:6])}; type more of it")
        raise ValueError(f"there is no command {typed[0]}; press tab for what there is")

    def complete(self, line: str) -> list[str]:
        """The lines that this one may become, those of commands before those of names."""
        lines = [command.words for command in self._commands.values() if command.words.startswith(line) and command.words != line]
        head, space, last = line.rpartition(" ")
        if space:
            try:
                command, given = self.find(head)
            except ValueError:
                return lines
            if command.kind:
                names = (shlex.quote(name) for name in self._names(command.kind) if name not in given)
                lines += [f"{head} {name}" for name in sorted(set(names)) if name.startswith(last) and name != last]
        return lines


class History:
    """The lines that were sent, oldest first, and the place at which one looks back."""

    def __init__(self, lines: Sequence[str] = (), most: int = 200) -> None:
        self.lines = list(lines)[-most:]
        self._most = most
        self._place = len(self.lines)
        self._draft = ""

    def add(self, line: str) -> None:
        """Another line was sent; one that was sent before moves to the end."""
        self.lines = [*(one for one in self.lines if one != line), line][-self._most :]
        self._place = len(self.lines)

    def older(self, typed: str) -> str:
        """The line before; ``typed`` is kept for the way back."""
        if self._place == len(self.lines):
            self._draft = typed
        self._place = max(self._place - 1, 0)
        return self.lines[self._place] if self.lines else typed

    def newer(self, typed: str) -> str:
        """The line after; beyond the last, what was typed."""
        if self._place >= len(self.lines):
            return typed
        self._place += 1
        return self.lines[self._place] if self._place < len(self.lines) else self._draft
