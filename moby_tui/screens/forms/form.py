"""A dialog whose fields make a request: what is wrong with them, and the command line that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

#: The fields' texts, by id.
Written = Mapping[str, str]
Request = TypeVar("Request")


class Form(Generic[Request]):
    """The fields of one dialog."""

    def __init__(self, request: Callable[[Written], Request], words: Callable[[Request], Sequence[str]]) -> None:
        """``request`` makes the request of the fields, or raises ``ValueError``; ``words`` returns the words of its command line."""
        self.request = request
        self._words = words

    def check(self, written: Written) -> str:
        """What is wrong with the fields in one line, or nothing."""
        try:
            self.request(written)
        except ValueError as error:
            return str(error)
        return ""

    def line(self, written: Written) -> str:
        """The command line that does the same; empty while something is wrong with the fields."""
        try:
            return shlex.join(self._words(self.request(written)))
        except ValueError:
            return ""
