"""An action as it is declared: what it does, to what, by which keys, and which command line does the same."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from textual.binding import Binding, BindingType


class On(Enum):
    """What an action acts on."""

    PAGE = "the page"
    ROW = "the row under the cursor"
    ROWS = "the marked rows, or else the row under the cursor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """``id`` is what a person's keymap knows it by: ``container.stop``. ``keys`` are Textual's names with commas between them;
    without keys it is in the palette and the prompt alone. Two actions on rows may have one key: it does the first that is offered.

    ``call`` is the method without its ``action_``, perhaps with arguments (``tab('logs')``); without it, the last part of the id.
    ``when`` says of a row whether the action does something to it. ``command`` is the command line that does the same, in which
    ``{names}`` stands for the rows' names.

    ``changes`` is true if it changes the engine: then a read-only dashboard does not offer it. ``destroys`` is true if what it takes
    away cannot be had back: of several rows it then wants a word typed, and with ``typed`` of one too. ``ours`` is true if moby's
    engine alone knows it: on another it is greyed.
    """

    id: str
    title: str
    keys: str = ""
    tooltip: str = ""
    call: str = ""
    on: On = On.PAGE
    when: Callable[[Any], bool] | None = None
    changes: bool = False
    destroys: bool = False
    typed: bool = False
    ours: bool = False
    command: str = ""
    footer: bool = True
    key_display: str | None = None

    @property
    def method(self) -> str:
        """The method's name without its ``action_`` and arguments."""
        return (self.call or self.id.rpartition(".")[2]).partition("(")[0]

    @property
    def words(self) -> str:
        """What it is called in the prompt: as on the command line (``volume rm``), else as in its id."""
        words = []
        for word in self.command.split()[1:]:
            if word.startswith(("-", "{")):
                break
            words.append(word)
        return " ".join(words) or self.id.rpartition(".")[2].replace("_", " ")

    def binding(self) -> Binding:
        """The keys as Textual has them."""
        return Binding(
            self.keys,
            self.call or self.method,
            self.title,
            show=self.footer,
            key_display=self.key_display,
            tooltip=self.tooltip,
            id=self.id,
        )

    def takes(self, rows: Iterable[Any]) -> list[Any]:
        """Those of the rows to which it does something."""
        return [row for row in rows if self.when is None or self.when(row)]

    def offered(self, rows: Sequence[Any]) -> bool:
        """True if it does something just now. ``rows`` are those that it would act on."""
        return self.on is On.PAGE or bool(self.takes(rows))

    def command_line(self, names: Iterable[str]) -> str:
        """The command line that does the same to what has these names; empty if there is none."""
        return self.command.replace("{names}", shlex.join(names))


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """The ``BINDINGS`` of a page or widget that declares these actions."""
    return [action.binding() for action in actions if action.keys]
