"""The engines to which one can change: contexts, as docker has them, and hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from moby_tui.errors import NotFound
from moby_tui.screens.session.session import ClientFactory


class Engines(Protocol):
    """Who starts the dashboard knows them."""

    def names(self) -> Sequence[tuple[str, str]]:
        """The names that there are, each with its host or another remark."""
        ...

    def factory(self, name: str) -> ClientFactory:
        """Makes clients of an engine: a context's name, or a host as ``-H`` takes it. Raises ``MobyError`` for one that is none."""
        ...


class OneEngine:
    """No engine but the one of the start."""

    def __init__(self, factory: ClientFactory) -> None:
        self._factory = factory

    def names(self) -> Sequence[tuple[str, str]]:
        return [("default", "the engine of the start")]

    def factory(self, name: str) -> ClientFactory:
        if name != "default":
            raise NotFound(f"there is no context {name}")
        return self._factory
